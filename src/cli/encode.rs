//! `recmirror encode`: item vectors from texts.

use super::data_format::DataFormat;
use super::stage_bar::StageBar;
use super::terminal::say;
use super::{Failure, print, use_threads};
use crate::dataset::{
    Dataset, ITEM_VECTORS, TemplateError, TextTemplates, item_vector_files, vectors_folder, write_item_vectors,
};
use crate::files::Partial;
use crate::ids::ItemId;
use crate::pipeline::scenes::Embedder;
use crate::registry::Registry;
use std::path::PathBuf;

/// Arguments of `encode`.
#[derive(clap::Args)]
pub struct Encode {
    /// The data set: a publisher's folder or a log of your own. Both files are written beside it.
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Folder of the sentence encoder, with model.onnx and tokenizer.json (`make embedder` builds one).
    #[arg(long, value_name = "DIR")]
    embedder: PathBuf,
    /// Replace item vectors that are there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    format: DataFormat,
    /// Worker threads; by default one for each core. They change no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

impl Encode {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        let folder = vectors_folder(&self.data);
        let there = item_vector_files(folder).into_iter().find(|path| path.exists());
        if let Some(path) = there.filter(|_| !self.force) {
            return Err(Failure::input(format!("{} exists; --force replaces it", path.display())));
        }
        let data = registry.read_without_vectors(&self.data, self.format.family()).map_err(Failure::input)?;
        say!("{}: {}", data.name, data.cleanup);
        self.check(&data)?;
        let texts = texts_of(&data).map_err(Failure::input)?;
        // A folder that cannot be written is reported before the work, and not after it.
        drop(Partial::create(&folder.join(format!("{ITEM_VECTORS}.npy"))).map_err(Failure::input)?);
        let embedder = Embedder::load(&self.embedder, rayon::current_num_threads()).map_err(Failure::input)?;
        let bar = StageBar::new(self.quiet);
        let vectors = embedder.embed(&texts, &bar).map_err(Failure::input);
        bar.finish();
        let vectors = vectors?;
        let width = vectors.len() / texts.len().max(1);
        write_item_vectors(folder, &data, vectors, width).map_err(Failure::input)?;
        let example = texts.first().map_or("", String::as_str);
        print(&format!(
            "wrote {}: {width} numbers for each of {} items, the field `{ITEM_VECTORS}`\n  first text: {example}\n",
            folder.join(format!("{ITEM_VECTORS}.npy")).display(),
            texts.len()
        ));
        Ok(())
    }

    /// Refuses data whose items have no text, or a field of the name.
    fn check(&self, data: &Dataset) -> Result<(), Failure> {
        let path = self.data.display();
        if data.item_fields.iter().next().is_none() {
            return Err(Failure::input(format!(
                "{path} knows its items by their ids alone: there is no text to encode"
            )));
        }
        match data.item_fields.get(ITEM_VECTORS) {
            Some(_) => {
                Err(Failure::input(format!("the items of {path} have a field `{ITEM_VECTORS}` already; rename it")))
            }
            None => Ok(()),
        }
    }
}

/// The text of each item, as a language model reads it outside any scene.
fn texts_of(data: &Dataset) -> Result<Vec<String>, TemplateError> {
    let templates = TextTemplates::of(data)?;
    (0..data.items.len() as u32).map(|item| templates.item(&data.item_row(ItemId(item)), None)).collect()
}
