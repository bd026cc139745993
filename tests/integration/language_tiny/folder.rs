//! The content of a model's folder: present, missing, or wrong.

use super::*;

#[test]
fn models_of_one_name_and_other_bytes_have_other_fingerprints() {
    if !has_runtime() {
        return;
    }
    let of = |folder: &Path| LocalModel::load(folder, &options(1, 0)).expect("a model").fingerprint().to_owned();
    for kind in KINDS {
        let whole = of(&fixture(kind));
        let same = copy(kind);
        assert_eq!(of(same.path()), whole, "{kind}: the place does not matter");
        let weights = if kind == "qwen2" { "model.onnx_data" } else { "model.onnx" };
        for name in [weights, "tokenizer_config.json", "config.json", "tokenizer.json"] {
            let other = copy(kind);
            let path = other.path().join(name);
            let mut bytes = std::fs::read(&path).expect("the file");
            match name.ends_with(".json") {
                // An additional blank, which has no meaning for readers of the file.
                true => bytes.push(b' '),
                false => {
                    let place = place_of_weight(&bytes, kind);
                    bytes[place] ^= 1;
                }
            }
            write(&path, bytes);
            assert_ne!(of(other.path()), whole, "{kind}: {name}");
        }
    }
}

/// A byte of a graph's weights: the file of weights has nothing else, the graph has most of them in its middle.
fn place_of_weight(bytes: &[u8], kind: &str) -> usize {
    if kind == "qwen2" { 0 } else { bytes.len() / 2 }
}

/// The message about a damaged folder, without its path.
fn refused(kind: &str, graph: Option<&str>, damage: impl FnOnce(&Path)) -> String {
    let folder = copy(kind);
    damage(folder.path());
    let options = LocalOptions { graph: graph.map(str::to_owned), ..options(1, 0) };
    let problem = LocalModel::load(folder.path(), &options).err().expect("the folder is refused").to_string();
    problem.replace(&folder.path().display().to_string(), "DIR")
}

fn edit(folder: &Path, name: &str, from: &str, to: &str) {
    let text = read(&folder.join(name));
    assert!(text.contains(from), "{name} has no {from}");
    write(&folder.join(name), text.replace(from, to));
}

#[test]
fn missing_files_of_a_folder_are_reported() {
    if !has_runtime() {
        return;
    }
    for (name, expected) in [
        ("tokenizer.json", "DIR/tokenizer.json does not exist; copy it from the checkpoint"),
        ("tokenizer_config.json", "DIR/tokenizer_config.json: no chat template: put it into `chat_template.jinja`"),
        ("config.json", "DIR/config.json does not exist; copy it from the checkpoint"),
        ("model.onnx", "DIR/model.onnx does not exist; the folder has: halves.onnx, strange.onnx"),
    ] {
        let error = refused("llama", None, |folder| std::fs::remove_file(folder.join(name)).unwrap());
        assert!(error.starts_with(expected), "{error}");
    }
    let error = refused("qwen2", None, |folder| std::fs::remove_file(folder.join("model.onnx_data")).unwrap());
    assert!(error.starts_with("cannot load DIR/model.onnx: it keeps weights in `model.onnx_data`"), "{error}");
    let error = refused("qwen2", None, |folder| {
        std::fs::rename(folder.join("model.onnx_data"), folder.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.join("model.onnx_data")).unwrap();
    });
    assert!(error.contains("`model.onnx_data`, a link that leaves its folder"), "{error}");
    let error = LocalModel::load(Path::new("no/such/folder"), &options(1, 0)).err().expect("refused").to_string();
    assert!(
        error.starts_with("no/such/folder is no folder; a language model is a folder with `model.onnx`"),
        "{error}"
    );
    for graph in ["../model.onnx", "/model.onnx", "a/../../model.onnx"] {
        let error = refused("llama", Some(graph), |_| ());
        assert_eq!(error, format!("DIR: the graph `{graph}` is not a file in the model's folder"));
    }
    let error = refused("llama", Some("other.onnx"), |_| ());
    assert!(error.starts_with("DIR/other.onnx does not exist; the folder has: halves.onnx, model.onnx"), "{error}");
}

#[test]
fn errors_in_a_folder_are_reported() {
    if !has_runtime() {
        return;
    }
    let config = "tokenizer_config.json";
    let error = refused("llama", None, |folder| edit(folder, config, "{% endfor %}", ""));
    assert!(error.starts_with("DIR/tokenizer_config.json: the chat template is wrong: line "), "{error}");
    let error =
        refused("llama", None, |folder| write(&folder.join("chat_template.jinja"), "{{ raise_exception('no') }}"));
    assert_eq!(error, "DIR/chat_template.jinja: the chat template fails on this conversation: line 1: no");
    // A text that is the same whatever is asked, or has the roles alone.
    for template in ["Hello.", "{% for message in messages %}<{{ message.role }}>{% endfor %}"] {
        let error = refused("llama", None, |folder| write(&folder.join("chat_template.jinja"), template));
        assert!(
            error.starts_with("DIR/chat_template.jinja: the chat template leaves out the user's message"),
            "{error}"
        );
    }
    let error = refused("llama", None, |folder| write(&folder.join("tokenizer.json"), "{\"version\": 1"));
    assert!(error.starts_with("DIR/tokenizer.json: "), "{error}");
    let error = refused("llama", None, |folder| write(&folder.join(config), b"{\"chat_template\": \"\xff\"}"));
    assert_eq!(error, "DIR/tokenizer_config.json: is not UTF-8");
    let error = refused("llama", None, |folder| write(&folder.join("config.json"), "{\"eos_token_id\": \"two\"}"));
    assert!(error.starts_with("DIR/config.json: "), "{error}");
    let error = refused("llama", None, |folder| {
        edit(folder, "config.json", "\"eos_token_id\": 2", "\"eos_token_id\": null");
        edit(folder, config, "\"eos_token\"", "\"other_token\"");
        std::fs::remove_file(folder.join("generation_config.json")).unwrap();
    });
    assert!(error.contains("no `eos_token_id`"), "{error}");
    let error = refused("llama", None, |folder| {
        edit(folder, "tokenizer.json", "\"[B\": 268", "\"[B\": 268, \"more\": 269");
    });
    assert!(error.contains("gives logits for 269 tokens, but tokenizer.json has 270"), "{error}");
}

#[test]
fn unusable_graphs_are_reported() {
    if !has_runtime() {
        return;
    }
    let whole = std::fs::read(fixture("llama").join("model.onnx")).expect("a graph");
    for length in [0, 100, whole.len() / 2, whole.len() - 1] {
        let error = refused("llama", None, |folder| write(&folder.join("model.onnx"), &whole[..length]));
        assert!(error.contains("DIR/model.onnx"), "{length}: {error}");
    }
    // Weights that are beside the graph, cut off.
    let error = refused("qwen2", None, |folder| {
        let path = folder.join("model.onnx_data");
        let whole = std::fs::read(&path).expect("weights");
        write(&path, &whole[..whole.len() / 2]);
    });
    assert!(error.starts_with("cannot load DIR/model.onnx"), "{error}");
    let error = refused("llama", Some("strange.onnx"), |_| ());
    assert!(
        error.starts_with("DIR/strange.onnx: unknown input `token_type_ids`; a causal language model has"),
        "{error}"
    );
    let error = refused("llama", None, |folder| {
        std::fs::copy(package().join("models/mirror/item.onnx"), folder.join("model.onnx")).unwrap();
    });
    assert_eq!(error, "DIR/model.onnx: no input `input_ids`; the graph has: attributes, vectors");
}

#[test]
fn a_wrong_card_is_reported() {
    if !has_runtime() {
        return;
    }
    let card = |graph: &str, files: &str| {
        format!("kind = \"language\"\nversion = 1\nname = \"tiny\"\nsummary = \"\"\ngraph = \"{graph}\"\n{files}\n")
    };
    let sha = "0".repeat(64);
    for name in ["model.onnx", "model.onnx_data", "tokenizer.json", "config.json", "tokenizer_config.json"] {
        let error = refused("qwen2", None, |folder| {
            let files = format!("[files.\"{name}\"]\nsha256 = \"{sha}\"");
            write(&folder.join("card.toml"), card("model.onnx", &files));
        });
        assert!(error.starts_with(&format!("DIR/{name}: has sha256 ")) && error.contains(&sha), "{error}");
    }
    for (from, to, expected) in [
        ("language", "mirror", "DIR/card.toml: kind is `mirror`, expected `language`"),
        // Whose other keys are others, too.
        ("\"language\"\n", "\"mirror\"\ndims = 3\n", "DIR/card.toml: kind is `mirror`, expected `language`"),
        ("version = 1", "version = 2", "DIR/card.toml: version is 2, this build reads version 1"),
        ("model.onnx", "other.onnx", "DIR/other.onnx does not exist; the folder has: model.onnx"),
        ("summary", "summery", "DIR/card.toml: "),
    ] {
        let error = refused("qwen2", None, |folder| {
            write(&folder.join("card.toml"), card("model.onnx", "[files]").replace(from, to));
        });
        assert!(error.starts_with(expected), "{error}");
    }
    let folder = copy("qwen2");
    write(&folder.path().join("card.toml"), card("model.onnx", "[files]"));
    assert_eq!(LocalModel::load(folder.path(), &options(1, 0)).expect("a model").name(), "tiny");
    assert_eq!(load("qwen2", 1, 0).name(), "qwen2");
}
