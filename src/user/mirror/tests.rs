//! Tests of mirrors with tiny and broken graphs.

use super::*;
use crate::files::sha256;
use crate::onnx::testing_graphs::has_runtime;
use crate::onnx::testing_graphs::{GraphBuilder, INT64, floats, int, outside};
use std::collections::BTreeMap;

/// Six users, eight items, and all other inputs of a mirror.
fn data(folder: &Path) -> Dataset {
    let mut items = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n".to_owned();
    let mut users = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n".to_owned();
    let mut rows = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n".to_owned();
    for item in 0..8 {
        items += &format!("{item}\tItem {item}\t{}\t{}\n", 1980 + 3 * item, ["Drama", "Comedy"][item % 2]);
    }
    for user in 0..6_usize {
        users += &format!("{user}\t{}\t{}\tartist\t0\n", 20 + 7 * user, ["F", "M"][user % 2]);
        for step in 0..4 {
            rows += &format!("{user}\t{}\t{}\t{}\n", (user + step * 2) % 8, 1 + (user + step) % 5, 1000 + step);
        }
    }
    for (name, text) in [("item", items), ("user", users), ("inter", rows)] {
        std::fs::write(folder.join(format!("tiny.{name}")), text).expect("written");
    }
    Dataset::read(folder).expect("a data set")
}

fn numbers(count: usize, from: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 37 + from * 11) % 17) as f32 / 17.0 - 0.4).collect()
}

/// Four correct graphs: attributes 3, vectors 4, item 3, choice_item 2, profile 2, state 3, query 2.
fn graphs() -> BTreeMap<&'static str, GraphBuilder> {
    let item = GraphBuilder::default()
        .input("attributes", &[-1, 3])
        .input("vectors", &[-1, 4])
        .output("item", &[-1, -9])
        .floats("a", &[3, 3], &numbers(9, 1))
        .floats("b", &[4, 3], &numbers(12, 2))
        .node("MatMul", &["attributes", "a"], "left")
        .node("MatMul", &["vectors", "b"], "right")
        .node("Add", &["left", "right"], "sum");
    let start = GraphBuilder::default()
        .input("profile", &[-1, 2])
        .output("state", &[-1, -9])
        .output("query", &[-1, -8])
        .floats("s", &[2, 3], &numbers(6, 3))
        .floats("q", &[2, 2], &numbers(4, 4))
        .node("MatMul", &["profile", "s"], "state_sum")
        .node("MatMul", &["profile", "q"], "query_sum");
    let update = GraphBuilder::default()
        .input("state", &[-1, 3])
        .input("item", &[-1, 3])
        .input("event", &[-1, 3])
        .output("state_next", &[-1, -9])
        .output("query", &[-1, -8])
        .floats("q", &[3, 2], &numbers(6, 5))
        .node("Mul", &["item", "event"], "weighted")
        .node("Add", &["state", "weighted"], "state_sum")
        .node("MatMul", &["state_sum", "q"], "query_sum");
    let choice = GraphBuilder::default()
        .input("query", &[-1, 2])
        .input("item", &[-1, -2, 2])
        .input("context", &[-1, -2, 2])
        .input("slots", &[-1, -2])
        .output("choice", &[-1, -9])
        .output("rating", &[-1, -7, -8])
        .ints("one", &[1])
        .ints("two", &[2])
        .floats("zero", &[1], &[0.0])
        .floats("r", &[2, 5], &numbers(10, 6))
        .node("Unsqueeze", &["query", "one"], "wide")
        .node("Mul", &["item", "wide"], "products")
        .node_with("ReduceSum", &["products", "two"], "score", &[int("keepdims", 0)])
        .node_with("ReduceSum", &["context", "two"], "moment", &[int("keepdims", 0)])
        .node("Add", &["score", "moment"], "known")
        .node("Mul", &["known", "slots"], "score_sum")
        .node_with("ReduceMax", &["query", "one"], "reject", &[int("keepdims", 1)])
        .node("MatMul", &["item", "r"], "rating_sum");
    [("item", item), ("start", start), ("update", update), ("choice", choice)].into()
}

/// The correct outputs of a graph.
fn ends(name: &str, graph: GraphBuilder) -> GraphBuilder {
    match name {
        "item" => graph.node("Identity", &["sum"], "item"),
        "start" => graph.node("Identity", &["state_sum"], "state").node("Identity", &["query_sum"], "query"),
        "update" => graph.node("Identity", &["state_sum"], "state_next").node("Identity", &["query_sum"], "query"),
        _ => graph.node_with("Concat", &["score_sum", "reject"], "choice", &[int("axis", 1)]).node(
            "Identity",
            &["rating_sum"],
            "rating",
        ),
    }
}

/// Writes a model whose graph `name` ends as `end` says; the others are correct.
fn write_model(folder: &Path, name: &str, end: impl Fn(GraphBuilder) -> GraphBuilder) {
    let mut card =
        "kind = 'mirror'\nversion = 2\nname = 'tiny'\nsummary = 'of tests'\n[features]\nrank = 2\n\
        [[features.items.fields]]\nkind = 'category'\nfield = 'class'\nnames = ['Drama']\n\
        [[features.users.fields]]\nkind = 'number'\nfield = 'age'\nlog = false\nmean = 40.0\ndeviation = 10.0\n[dims]\nattributes = 3\nvectors = 4\nitem = 3\nchoice_item = 2\nprofile = 2\n\
        state = 3\nquery = 2\nevent = 3\ncontext = 2\n[training]\n[licence]\n"
            .to_owned();
    for (own, graph) in graphs() {
        let model = if own == name { end(graph) } else { ends(own, graph) }.model();
        std::fs::write(folder.join(format!("{own}.onnx")), &model).expect("written");
        card += &format!("[files.{own}]\nfile = '{own}.onnx'\nsha256 = '{}'\n", sha256(&model));
    }
    std::fs::write(folder.join("card.toml"), card).expect("written");
}

fn load(folder: &Path) -> Result<Mirror, UserError> {
    let data = data(folder);
    let log = data.split(0.2).before;
    Mirror::load(folder, &data, &log, 4)
}

#[track_caller]
fn refuse(name: &str, words: &[&str], end: impl Fn(GraphBuilder) -> GraphBuilder) {
    let folder = tempfile::tempdir().expect("a folder");
    write_model(folder.path(), name, end);
    let problem = load(folder.path()).err().unwrap_or_else(|| panic!("{name} was loaded: {words:?}")).to_string();
    assert!(problem.contains(&format!("{name}.onnx")), "{problem}");
    for word in words {
        assert!(problem.contains(word), "no `{word}` in: {problem}");
    }
}

#[test]
fn correct_graphs_are_loaded() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_model(folder.path(), "", |graph| graph);
    let model = load(folder.path()).unwrap_or_else(|problem| panic!("{problem}"));
    let users: Vec<LogUserId> = (0..6).map(LogUserId).collect();
    let mut memory = vec![0.0; 6 * model.memory().total];
    model.start(&users, &mut memory).expect("memories");
    assert_ne!(memory[..5], memory[5..10], "users differ");
}

#[test]
fn a_graph_whose_ratings_depend_on_the_list_is_not_taken_apart() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_model(folder.path(), "", |graph| graph);
    assert!(load(folder.path()).expect("a model").rates_apart());
    for value in ["score_sum", "rating_sum"] {
        write_model(folder.path(), "choice", |graph| {
            let graph = graph.ints("slot_axis", &[1]).node("ReduceMax", &[value, "slot_axis"], "most");
            swap("choice", value, graph.node("Add", &[value, "most"], "mixed"))
        });
        // Choices are computed for complete lists, ratings are not.
        assert_eq!(load(folder.path()).expect("a model").rates_apart(), value == "score_sum", "{value}");
    }
}

#[test]
fn a_statistic_over_the_rows_of_a_call_is_refused() {
    if !has_runtime() {
        return;
    }
    // Each output in turn gets the mean over the rows of its call.
    for (name, value) in [
        ("item", "sum"),
        ("start", "state_sum"),
        ("start", "query_sum"),
        ("update", "state_sum"),
        ("update", "query_sum"),
        ("choice", "score_sum"),
        ("choice", "rating_sum"),
    ] {
        refuse(name, &["mixes the rows of a call", "a row must depend on itself alone"], |graph| {
            let graph = graph.ints("rows", &[0]).node("ReduceMean", &[value, "rows"], "mean");
            let graph = graph.node("Add", &[value, "mean"], "mixed");
            swap(name, value, graph)
        });
    }
}

/// The outputs of a graph with `value` replaced by `mixed`.
fn swap(name: &str, value: &str, graph: GraphBuilder) -> GraphBuilder {
    let of = |wanted: &'static str| if wanted == value { "mixed" } else { wanted };
    match name {
        "item" => graph.node("Identity", &[of("sum")], "item"),
        "choice" => graph.node_with("Concat", &[of("score_sum"), "reject"], "choice", &[int("axis", 1)]).node(
            "Identity",
            &[of("rating_sum")],
            "rating",
        ),
        _ => {
            let state = if name == "start" { "state" } else { "state_next" };
            graph.node("Identity", &[of("state_sum")], state).node("Identity", &[of("query_sum")], "query")
        }
    }
}

#[test]
fn operators_that_draw_are_refused_by_name() {
    if !has_runtime() {
        return;
    }
    for (name, value) in [("item", "sum"), ("start", "state_sum"), ("update", "query_sum"), ("choice", "score_sum")] {
        refuse(name, &["`RandomNormalLike` draws random numbers"], |graph| {
            swap(name, value, graph.node("RandomNormalLike", &[value], "mixed"))
        });
    }
}

/// Integers `of_run` that are known only at run time.
fn of_run(graph: GraphBuilder, value: &str, numbers: &[i64]) -> GraphBuilder {
    graph
        .ints("numbers", numbers)
        .node("Sub", &[value, value], "nothing")
        .node_with("ReduceSum", &["nothing"], "zero_float", &[int("keepdims", 0)])
        .node_with("Cast", &["zero_float"], "zero_int", &[int("to", INT64 as i64)])
        .node("Add", &["numbers", "zero_int"], "of_run")
}

#[test]
fn outputs_of_another_size_are_refused_and_never_misread() {
    if !has_runtime() {
        return;
    }
    for (name, value, axis, expected) in [
        ("item", "sum", 1, "output `item` has shape [4, 6], expected [4, 3]"),
        ("item", "sum", 0, "output `item` has shape [8, 3], expected [4, 3]"),
        ("start", "state_sum", 1, "output `state` has shape [4, 6], expected [4, 3]"),
        ("start", "query_sum", 0, "output `query` has shape [8, 2], expected [4, 2]"),
        ("update", "state_sum", 1, "output `state_next` has shape [4, 6], expected [4, 3]"),
        ("update", "query_sum", 1, "output `query` has shape [4, 4], expected [4, 2]"),
        ("choice", "score_sum", 1, "output `choice` has shape [4, 11], expected [4, 6]"),
        ("choice", "rating_sum", 2, "output `rating` has shape [4, 5, 10], expected [4, 5, 5]"),
        ("choice", "rating_sum", 1, "output `rating` has shape [4, 10, 5], expected [4, 5, 5]"),
    ] {
        refuse(name, &[expected], |graph| {
            let mut repeats = vec![1; if value == "rating_sum" { 3 } else { 2 }];
            repeats[axis] = 2;
            swap(name, value, of_run(graph, value, &repeats).node("Tile", &[value, "of_run"], "mixed"))
        });
    }
    for (name, value, expected) in [
        ("item", "sum", "output `item` has shape [4, 1], expected [4, 3]"),
        ("start", "query_sum", "output `query` has shape [4, 1], expected [4, 2]"),
        ("update", "state_sum", "output `state_next` has shape [4, 1], expected [4, 3]"),
        ("choice", "score_sum", "output `choice` has shape [4, 2], expected [4, 6]"),
    ] {
        refuse(name, &[expected], |graph| {
            let graph = of_run(graph, value, &[1]).ints("from", &[0]).ints("axis", &[1]);
            swap(name, value, graph.node("Slice", &[value, "from", "of_run", "axis"], "mixed"))
        });
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    if !has_runtime() {
        return;
    }
    for (name, value, output) in [
        ("item", "sum", "item"),
        ("start", "state_sum", "state"),
        ("start", "query_sum", "query"),
        ("update", "state_sum", "state_next"),
        ("update", "query_sum", "query"),
    ] {
        for (number, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
            refuse(name, &[&format!("output `{output}` has {text} in row 0, expected finite numbers")], |graph| {
                swap(name, value, graph.floats("broken", &[1], &[number]).node("Add", &[value, "broken"], "mixed"))
            });
        }
    }
}

#[test]
fn weights_of_their_own_file_belong_to_the_model() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_model(folder.path(), "item", |graph| {
        let graph = graph.tensor(&outside("w", &[3], "item.bin"));
        graph.node("Add", &["sum", "w"], "mixed").node("Identity", &["mixed"], "item")
    });
    let (card, file) = (folder.path().join("card.toml"), folder.path().join("item.bin"));
    let write = |values: &[f32]| std::fs::write(&file, floats(values)).expect("written");
    write(&[1.0, 2.0, 3.0]);
    let hash = sha256(&floats(&[1.0, 2.0, 3.0]));
    let problem = load(folder.path()).err().expect("not listed").to_string();
    assert!(problem.contains("which the card does not list") && problem.contains(&hash), "{problem}");
    let text = std::fs::read_to_string(&card).expect("a card");
    let before = Card::read(folder.path()).expect("a card").hash();
    std::fs::write(&card, text + &format!("[files.item_weights]\nfile = 'item.bin'\nsha256 = '{hash}'\n"))
        .expect("written");
    let model = load(folder.path()).unwrap_or_else(|problem| panic!("{problem}"));
    assert_ne!(model.card().hash(), before, "the weights are a part of the model's identity");
    write(&[1.0, 2.0, 4.0]);
    let problem = load(folder.path()).err().expect("another file").to_string();
    assert!(problem.contains("item.bin has sha256") && problem.contains("the card says"), "{problem}");
}
