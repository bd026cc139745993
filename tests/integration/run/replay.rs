//! `replay`: a run is run again, and what was stored is looked at.

use super::*;

#[test]
fn replay_confirms_a_run() {
    let (folder, _, out) = finished(&[]);
    let answer = recmirror(&["replay", text(&out), "--quiet"]).expect(0);
    assert!(answer.stdout.contains("4 trials with equal digests"), "{answer:?}");
    let answer = recmirror(&["replay", text(&out), "--logs-only"]).expect(0);
    assert!(answer.stdout.starts_with("logs: 4 trials"), "{answer:?}");
    // The run and its data may move.
    let (there, moved) = (folder.path().join("there"), folder.path().join("moved"));
    std::fs::rename(&out, &there).expect("moved");
    std::fs::rename(folder.path().join("data"), &moved).expect("moved");
    recmirror(&["replay", text(&there)]).expect(2).says(&["does not exist"]);
    let path = format!("data.path={}", moved.display());
    recmirror(&["replay", text(&there), "--set", &path, "--threads", "1", "--set", "engine.chunk=7"]).expect(0);
    recmirror(&["replay", text(&there), "--set", &path, "--set", "slate=4"]).expect(3).says(&["4 differences"]);
}

/// The place in a file of the first event's probability, which is stored plain.
fn first_probability(path: &Path, bytes: &[u8]) -> usize {
    let mut found = None;
    read_batches(path, |batch| found = found.or(batch.probabilities.first().copied())).expect("a readable log");
    let pattern = found.expect("an event").to_le_bytes();
    bytes.windows(4).position(|window| window == pattern).expect("its bytes")
}

#[test]
fn replay_finds_a_changed_log() {
    let (_folder, _, out) = finished(&[]);
    let path = out.join("events/01-random-r001.parquet");
    let whole = std::fs::read(&path).expect("a log");
    let mut changed = whole.clone();
    changed[first_probability(&path, &whole)] ^= 1;
    write(&path, &changed);
    for extra in [&[][..], &["--logs-only"]] {
        let answer = recmirror(&[&["replay", text(&out), "--quiet"], extra].concat()).expect(3);
        answer.says(&[
            "1 differences",
            "policy `random`, replication 1",
            "01-random-r001.parquet: it is not the file that",
        ]);
    }
    for broken in [&whole[..whole.len() / 2], b"", b"PAR1PAR1"] {
        write(&path, broken);
        recmirror(&["replay", text(&out), "--logs-only"]).expect(3).says(&["01-random-r001.parquet"]);
    }
    std::fs::remove_file(&path).expect("removed");
    recmirror(&["replay", text(&out), "--logs-only"]).expect(3).says(&["01-random-r001.parquet"]);
}

#[test]
fn no_changed_byte_of_a_log_ends_the_process() {
    let (_folder, _, out) = finished(&["--replications", "1"]);
    let path = out.join("events/00-popular-r000.parquet");
    let whole = std::fs::read(&path).expect("a log");
    let mut refused = 0;
    for number in 0..1_000 {
        let mut rng = Streams::new(12, 0).derive(Purpose::Scenes, number, 0);
        let mut bytes = whole.clone();
        // Every second change hits the metadata at the end of the file.
        let start = if number % 2 == 0 { 0 } else { bytes.len().saturating_sub(1_500) };
        let place = start + below(&mut rng, (bytes.len() - start) as u32) as usize;
        bytes[place] ^= 1 << below(&mut rng, 8);
        write(&path, bytes);
        refused += u32::from(read_batches(&path, |_| ()).is_err());
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn replay_finds_a_changed_manifest() {
    let (_folder, _, out) = finished(&[]);
    let path = out.join("manifest.json");
    let whole = read(&path);
    let good = manifest(&out);
    let spoil = |digest: &str| {
        let first = if digest.starts_with('0') { "1" } else { "0" };
        whole.replace(digest, &format!("{first}{}", &digest[1..]))
    };
    for digest in [&good.trials[2].digest, &good.digest] {
        write(&path, spoil(digest));
        recmirror(&["replay", text(&out)]).expect(3).says(&[digest]);
        recmirror(&["replay", text(&out), "--logs-only"]).expect(3).says(&[digest]);
    }
    let mut fewer = good.clone();
    fewer.trials.remove(1);
    write(&path, fewer.to_json());
    recmirror(&["replay", text(&out)]).expect(3);
    write(&path, whole.replacen("seed = 5", "seed = 6", 1));
    recmirror(&["replay", text(&out)]).expect(3).says(&["4 differences"]);
    for broken in [&whole[..whole.len() / 2], "", "{}", &whole.replacen("\"version\": 2", "\"version\": 9", 1)] {
        write(&path, broken);
        recmirror(&["replay", text(&out)]).expect(2).says(&["manifest.json"]);
    }
    // Leftovers of an older version are distinguished from damage.
    write(&path, whole.replacen("\"version\": 2", "\"version\": 1", 1));
    for command in ["replay", "compare", "resume"] {
        recmirror(&[command, text(&out)]).expect(2).says(&["version 1 of the manifest", "run the scenario again"]);
    }
    std::fs::remove_file(&path).expect("removed");
    recmirror(&["replay", text(&out)]).expect(2).says(&["is this the folder of a run?"]);
}

#[test]
fn replay_finds_changed_data() {
    let (folder, _, out) = finished(&[]);
    let mut log = Log::synthetic(60, 80);
    log.ratings[11].rating = 6 - log.ratings[11].rating;
    log.write_recbole(&folder.path().join("data"));
    recmirror(&["replay", text(&out)]).expect(3).says(&["is not the one of the run"]);
    recmirror(&["replay", text(&out), "--logs-only"]).expect(0);
}
