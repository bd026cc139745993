//! Tests of the shipped scenario files.

use super::*;
use std::fs;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

/// Compares a shipped file with its expected text; `RECMIRROR_BLESS=1 cargo test --lib scenario` writes it.
fn assert_shipped(name: &str, wanted: &str, command: &str) {
    let path = Path::new(FOLDER).join(name);
    if std::env::var_os("RECMIRROR_BLESS").is_some() {
        fs::create_dir_all(FOLDER).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shipped == wanted,
        "scenarios/{name} is not what the table of keys says; write it again with `{command}` \
         (or RECMIRROR_BLESS=1 cargo test --lib scenario)"
    );
}

#[test]
fn the_schema_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&json_schema(&Registry::builtin())).unwrap() + "\n";
    assert_shipped("schema.json", &schema, "recmirror scenario schema > scenarios/schema.json");
}

#[test]
fn the_reference_is_up_to_date() {
    assert_shipped(
        "reference.toml",
        &reference_text(&Registry::builtin()),
        "RECMIRROR_BLESS=1 cargo test --lib scenario",
    );
}

#[test]
fn the_reference_says_what_the_defaults_are() {
    let origin = Path::new("/project/scenario.toml");
    let kinds: String =
        Registry::builtin().policies().iter().map(|kind| format!("[[policy]]\nkind = '{}'\n", kind.name)).collect();
    let kinds = kinds.replace("kind = 'external'\n", "kind = 'external'\ncommand = ['your-command']\n");
    let kinds = kinds.replace("kind = 'onnx'\n", "kind = 'onnx'\npath = 'your-path'\n");
    let dynamics: String = crate::dynamics::all()
        .iter()
        .map(|kind| {
            let strengths: String = kind.strengths().map(|name| format!("{name} = 0\n")).collect();
            format!("[[dynamic]]\nkind = '{}'\n{strengths}", kind.name)
        })
        .collect();
    let shortest = format!("data.path = '../data/ml-latest-small'\n{kinds}{dynamics}");
    let shortest = Scenario::parse(&shortest, origin, &Registry::builtin(), &[]).unwrap();
    let reference = Scenario::parse(&reference_text(&Registry::builtin()), origin, &Registry::builtin(), &[]).unwrap();
    assert_eq!(reference, shortest);
}

/// The part of a text between the line `header` and the next table, without comment marks.
fn block<'a>(text: &'a str, header: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| !header.is_empty() && *line != header);
    let block = lines.skip(usize::from(!header.is_empty())).take_while(|line| !line.starts_with('['));
    block.map(|line| line.trim_start_matches("# ")).collect()
}

#[test]
fn the_reference_has_every_key() {
    let text = reference_text(&registry());
    let shows = |block: &[&str], key: &Key| {
        let line = match key.kind.default_value() {
            Some(toml::Value::Array(_)) => format!("{} = [", key.name),
            Some(value) => format!("{} = {value}", key.name),
            None => format!("{} = ", key.name),
        };
        assert!(block.iter().any(|shown| shown.starts_with(&line)), "`{line}` is not in {block:#?}");
    };
    for section in SECTIONS {
        let header = if section.name.is_empty() { String::new() } else { format!("[{}]", section.name) };
        let block = block(&text, &header);
        let variants = section.variants.iter().flat_map(|variant| variant.keys);
        section.keys.iter().chain(variants).for_each(|key| shows(&block, key));
        for variant in section.variants {
            assert!(block.contains(&format!("kind = \"{}\"", variant.name).as_str()));
        }
    }
    for kind in registry().policies().iter() {
        let start = text.find(&format!("[[policy]]\nkind = \"{}\"", kind.name)).or_else(|| {
            // The first policy has comments between the header and the kind.
            text.find("[[policy]]\n# ").filter(|_| kind.name == "random")
        });
        let rest = &text[start.unwrap_or_else(|| panic!("{} is not in the reference", kind.name))..];
        let block = block(rest, "[[policy]]");
        kind.keys.iter().chain(POLICY_KEYS).for_each(|key| shows(&block, key));
    }
    let dynamics = text.split("[[dynamic]]\n").skip(1);
    assert_eq!(dynamics.clone().count(), crate::dynamics::all().len());
    for (kind, rest) in crate::dynamics::all().iter().zip(dynamics) {
        let block: Vec<&str> = rest.lines().collect();
        assert!(block.contains(&format!("kind = \"{}\"", kind.name).as_str()), "{block:#?}");
        kind.keys.iter().chain(DYNAMIC_KEYS).for_each(|key| shows(&block, key));
    }
}

#[test]
fn the_commented_kind_works_when_it_is_swapped_in() {
    let text = reference_text(&Registry::builtin());
    let (before, after) = text.split_once("# The keys of kind `mirror`").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let (other, after) = after.split_once("\n\n").unwrap();
    let chosen = before.rfind("# The keys of kind `parametric`").unwrap();
    let before = before[..chosen].replace("kind = \"parametric\"", "");
    let other: String = other.lines().map(|line| line.trim_start_matches("# ").to_owned() + "\n").collect();
    let other: String = other.lines().filter(|line| line.contains(" = ")).map(|line| line.to_owned() + "\n").collect();
    let scenario = Scenario::parse(
        &format!("{before}\n{other}\n{after}"),
        Path::new("/project/scenarios/s.toml"),
        &Registry::builtin(),
        &[],
    );
    let model = scenario.unwrap().user.model;
    assert_eq!(model.path(), Some(Path::new("/project/scenarios/../models/mirror")));
    assert_eq!((model.kind.as_str(), model.params.len()), ("mirror", 1));
}

#[test]
fn every_key_is_sound() {
    let sections = SECTIONS.iter().flat_map(|section| {
        let all = section.variants.iter().map(|variant| section.keys.iter().chain(variant.keys).collect());
        let all: Vec<Vec<&Key>> = all.collect();
        if all.is_empty() { vec![section.keys.iter().collect()] } else { all }
    });
    let builtin = Registry::builtin();
    let policies = builtin.policies().iter().map(|kind| POLICY_KEYS.iter().chain(kind.keys).collect());
    let dynamics = crate::dynamics::all().iter().map(|kind| DYNAMIC_KEYS.iter().chain(kind.keys).collect());
    for keys in sections.chain(policies).chain(dynamics) {
        let names: std::collections::BTreeSet<&str> = keys.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), keys.len(), "a key twice in {names:?}");
        for key in keys {
            assert!(key.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", key.name);
            assert!(key.doc.len() > 10 && !key.doc.contains('\n'), "{} needs a doc of one line", key.name);
            let Some(default) = key.kind.default_value() else { continue };
            if matches!(key.kind, Kind::Policy { .. } | Kind::Policies { .. }) {
                // Their defaults are policies; the reference file contains them all and is read above.
                continue;
            }
            let written = raw::parse_value(&default.to_string(), &Place::Line(1)).unwrap();
            let checked = value::check(key.name, &key.kind, &written, &Place::Line(1), Path::new("/"));
            assert!(checked.is_ok(), "the default of {} is wrong: {checked:?}", key.name);
        }
    }
}

#[test]
fn the_reference_reads_well() {
    for line in reference_text(&Registry::builtin()).lines() {
        assert!(line.chars().count() <= 100, "too long: {line}");
        assert_eq!(line.trim_end(), line);
        assert!(!line.contains("..") || line.contains("\"../"), "two full stops: {line}");
    }
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let error = Scenario::load(&path, &registry(), &[]).unwrap_err().to_string();
        error.replace(folder.path().to_str().unwrap(), "DIR")
    };
    assert_eq!(
        load("latin.toml", b"name = 'x'\nquestion = '\xe9'\n"),
        "cannot read scenario DIR/latin.toml: line 2 is not UTF-8; save the file as UTF-8 text"
    );
    assert_eq!(
        load("large.toml", &vec![b'#'; (1 << 20) + 1]),
        "cannot read scenario DIR/large.toml: it is larger than 1 MiB; a scenario is a short TOML file"
    );
    let missing = Scenario::load(Path::new("/no/such/file.toml"), &registry(), &[]).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read scenario /no/such/file.toml: there is no such file");
    assert!(missing.problems().is_empty());
    let directory = Scenario::load(Path::new("/"), &registry(), &[]).unwrap_err();
    assert_eq!(directory.to_string(), "cannot read scenario /: it is a folder; name the .toml file in it");
}

#[test]
fn paths_start_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    fs::write(&path, "data.path = 'data'\npolicy = [{ kind = 'test_file', scores = 'a/b.csv' }]\n").unwrap();
    let scenario = Scenario::load(&path, &registry(), &[]).unwrap();
    assert_eq!(scenario.name, "own");
    assert_eq!(scenario.data.path, folder.path().join("data"));
    let params = &scenario.policies[0].params;
    assert_eq!(params["scores"].as_str(), folder.path().join("a/b.csv").to_str());
    assert_eq!(params["cache"].as_str(), folder.path().join("cache").to_str());

    let settings = [("data.path".to_owned(), "data".to_owned())];
    let scenario = Scenario::load(&path, &registry(), &settings).unwrap();
    assert_eq!(scenario.data.path, std::env::current_dir().unwrap().join("data"));
}
