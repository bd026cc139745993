//! `--format`: the family of a data set.

/// The option `--format`.
#[derive(clap::Args)]
pub struct DataFormat {
    /// The family of the data set, if the files do not determine it (`tables` for your own).
    #[arg(long, value_name = "FAMILY")]
    format: Option<String>,
}

impl DataFormat {
    /// The family; `None` if the files decide.
    pub(super) fn family(&self) -> Option<&str> {
        self.format.as_deref().filter(|name| *name != "auto")
    }
}
