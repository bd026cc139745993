//! The report in a real browser: nothing is cut off, columns sort, it has a dark side. Where there is no Chromium, nothing is
//! tested here.

use crate::util::{place, read, recmirror, text, with_data, write, write_scenario};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the page is asked once it stands: each column that can be sorted is, twice, and the answers go into the document.
const PROBE: &str = r#"<script>
const found = { width: document.documentElement.scrollWidth, room: innerWidth, columns: [] };
document.querySelectorAll("details").forEach(part => part.open = true);
for (const table of document.querySelectorAll("table[data-sort]")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    for (const click of [1, 2]) {
      head.querySelector("button").click();
      const of = body => [...body.rows].filter(row => row.cells.length > 1).map(row => row.cells[column].innerText.trim());
      const first = [...table.tBodies].map(body => body.rows[0].cells.length);
      found.columns.push({ order: head.getAttribute("aria-sort"), groups: [...table.tBodies].map(of), first });
    }
  });
}
found.background = getComputedStyle(document.body).backgroundColor;
document.body.dataset.found = JSON.stringify(found);
</script></body>"#;

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROME").map(PathBuf::from);
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| path.is_file())
}

/// Runs the browser on a page, in light or dark and a window of this width; gives what it prints.
fn browse(page: &Path, scheme: &str, width: u32, more: &[&str]) -> Option<String> {
    let profile = place();
    let quiet =
        ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"];
    let answer = Command::new(chromium()?)
        .args(["--headless", "--no-sandbox", "--disable-component-update", "--disable-sync"])
        .args(quiet)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", if scheme == "dark" { 0 } else { 1 }))
        .arg(format!("--window-size={width},1600"))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser runs");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    Some(String::from_utf8_lossy(&answer.stdout).into_owned())
}

fn probed(page: &Path, scheme: &str, width: u32) -> Option<Value> {
    let document = browse(page, scheme, width, &["--dump-dom"])?;
    let found = document.split_once("data-found=\"")?.1.split_once('"')?.0;
    serde_json::from_str(&found.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&")).ok()
}

/// The number that a cell begins with; cells without one come after those with one.
fn number(cell: &str) -> Option<f64> {
    let cell = cell.replace('\u{2212}', "-");
    let end = cell.find(|letter: char| !(letter.is_ascii_digit() || "+-.e".contains(letter))).unwrap_or(cell.len());
    cell[..end].parse().ok()
}

#[test]
fn the_report_renders_in_a_browser() {
    if chromium().is_none() {
        eprintln!("skipped: no Chromium; CHROME names one");
        return;
    }
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random", "item_knn", "linucb"]);
    let out = folder.path().join("run");
    recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet", "--replications", "3"]).expect(0);
    let page = folder.path().join("probed.html");
    write(&page, read(&out.join("report.html")).replace("</body>", PROBE));
    let light = probed(&page, "light", 1200).expect("an answer of the page");
    let narrow = probed(&page, "dark", 420).expect("an answer of the page");
    for found in [&light, &narrow] {
        assert!(
            found["width"].as_f64() <= found["room"].as_f64(),
            "the page is wider than its window: {}",
            found["width"]
        );
    }
    assert_ne!(light["background"], narrow["background"], "dark is another colour");
    let columns = light["columns"].as_array().expect("columns");
    // Of the summary, of the differences and of the pairs; each in both orders.
    assert_eq!(columns.len(), 2 * (1 + 6 + 6 + 11));
    for (place, column) in columns.iter().enumerate() {
        let falling = column["order"] == "descending";
        for (group, first) in column["groups"].as_array().unwrap().iter().zip(column["first"].as_array().unwrap()) {
            let cells: Vec<&str> = group.as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let mut numbers: Vec<f64> = cells.iter().filter_map(|cell| number(cell)).collect();
            if falling {
                numbers.reverse();
            }
            assert!(numbers.is_sorted(), "{column}");
            // The heading of a group stays its first row; the summary has no groups.
            assert!(cells.len() >= 3 && (first == 1) == (place >= 14), "{column}");
        }
    }
    // The pictures stay for inspection.
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let taken = ["light", "dark"].map(|scheme| {
        let picture = pictures.join(format!("report-{scheme}.png"));
        browse(&out.join("report.html"), scheme, 1200, &[&format!("--screenshot={}", picture.display())]);
        std::fs::read(picture).expect("a picture")
    });
    assert!(taken.iter().all(|picture| picture.starts_with(b"\x89PNG") && picture.len() > 50_000));
    assert!(taken[0] != taken[1]);
}
