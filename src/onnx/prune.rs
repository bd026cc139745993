//! Cuts a graph down to some of its outputs.
//!
//! ONNX Runtime computes all outputs of a graph, also those that a call does not read. Names of fields are those of
//! `onnx.proto3`.

use super::model_proto::Message;
use super::protobuf::{Content, Fields};
use std::collections::BTreeSet;

/// The model with these outputs alone: without the nodes and weights that only others need. All inputs remain. `None` for
/// a model whose nodes have subgraphs, which may read what no list of inputs names.
///
/// # Errors
/// When the bytes are no ONNX graph.
pub(super) fn prune(model: &[u8], outputs: &[&str]) -> Result<Option<Vec<u8>>, String> {
    let mut pruned = Message::default();
    for field in Fields(model) {
        match field? {
            (7, content) => match prune_graph(content.bytes(), outputs)? {
                Some(graph) => pruned.bytes(7, &graph),
                None => return Ok(None),
            },
            (number, content) if !copy(&mut pruned, number, content) => return Ok(None),
            _ => {}
        }
    }
    Ok(Some(pruned.0))
}

fn prune_graph(graph: &[u8], outputs: &[&str]) -> Result<Option<Vec<u8>>, String> {
    let Some(needed) = needed(graph, outputs)? else { return Ok(None) };
    let mut pruned = Message::default();
    for field in Fields(graph) {
        let (number, content) = field?;
        let is_needed = match number {
            1 => Links::of(content.bytes())?.outputs.iter().any(|name| needed.contains(name)),
            5 => needed.contains(text_of(content.bytes(), 8)?),
            12 => outputs.contains(&text_of(content.bytes(), 1)?),
            // Shapes of tensors, which the runtime infers itself, and notes on quantisation.
            13 | 14 => false,
            _ => true,
        };
        if is_needed && !copy(&mut pruned, number, content) {
            return Ok(None);
        }
    }
    Ok(Some(pruned.0))
}

/// The names of all tensors that the outputs need; `None` if a node has a subgraph.
fn needed<'a>(graph: &'a [u8], outputs: &[&'a str]) -> Result<Option<BTreeSet<&'a str>>, String> {
    let mut nodes = Vec::new();
    for field in Fields(graph) {
        if let (1, content) = field? {
            nodes.push(Links::of(content.bytes())?);
        }
    }
    if nodes.iter().any(|node| node.has_subgraph) {
        return Ok(None);
    }
    let mut needed: BTreeSet<&str> = outputs.iter().copied().collect();
    // A node follows the nodes that it reads from.
    for node in nodes.iter().rev() {
        if node.outputs.iter().any(|name| needed.contains(name)) {
            needed.extend(&node.inputs);
        }
    }
    Ok(Some(needed))
}

/// The tensors of a node.
#[derive(Default)]
struct Links<'a> {
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    has_subgraph: bool,
}

impl<'a> Links<'a> {
    fn of(node: &'a [u8]) -> Result<Links<'a>, String> {
        let mut links = Links::default();
        for field in Fields(node) {
            match field? {
                (1, content) => links.inputs.push(content.text()?),
                (2, content) => links.outputs.push(content.text()?),
                (5, content) => {
                    for part in Fields(content.bytes()) {
                        links.has_subgraph |= matches!(part?.0, 6 | 11);
                    }
                }
                _ => {}
            }
        }
        Ok(links)
    }
}

/// The text in a field of a message; empty without one.
fn text_of(message: &[u8], number: u64) -> Result<&str, String> {
    let mut found = "";
    for field in Fields(message) {
        let (field, content) = field?;
        if field == number {
            found = content.text()?;
        }
    }
    Ok(found)
}

/// Copies a field; `false` for a number of a fixed size, whose bytes are not known here.
fn copy(into: &mut Message, number: u64, content: Content<'_>) -> bool {
    match content {
        Content::Number(value) => into.whole(number, value),
        Content::Bytes(bytes) => into.bytes(number, bytes),
        Content::Fixed => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::testing_graphs::{GraphBuilder, subgraph};

    fn base() -> GraphBuilder {
        GraphBuilder::default().input("x", &[-1, 2]).output("y", &[-1, 2]).output("z", &[-1, 2])
    }

    /// The operators of the model's nodes, and the names of its outputs.
    fn parts(model: &[u8]) -> (Vec<String>, Vec<String>) {
        let graph = Fields(model).find_map(|field| field.ok().filter(|(number, _)| *number == 7)).expect("a graph").1;
        let of = |number: u64, inner: u64| {
            let fields =
                Fields(graph.bytes()).map(|field| field.expect("a field")).filter(move |(field, _)| *field == number);
            fields.map(move |(_, content)| text_of(content.bytes(), inner).expect("a text").to_owned()).collect()
        };
        (of(1, 4), of(12, 1))
    }

    #[test]
    fn nodes_and_weights_of_other_outputs_are_gone() {
        let model = base().ints("a", &[1]).ints("b", &[2]).node("Abs", &["x"], "h").node("Relu", &["h"], "y").node(
            "Tanh",
            &["h"],
            "z",
        );
        let model = model.node("Neg", &["z"], "nothing").model();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |outputs: &[&str]| parts(&prune(&model, outputs).expect("a graph").expect("no subgraph"));
        assert_eq!(of(&["y"]), (names(&["Abs", "Relu"]), names(&["y"])));
        assert_eq!(of(&["z"]), (names(&["Abs", "Tanh"]), names(&["z"])));
        assert_eq!(of(&["y", "z"]), (names(&["Abs", "Relu", "Tanh"]), names(&["y", "z"])));
        let pruned = prune(&model, &["y"]).expect("a graph").expect("no subgraph");
        assert!(model.len() > pruned.len() && super::super::inspection::inspect(&pruned).is_ok());
    }

    #[test]
    fn a_model_with_a_subgraph_stays_as_it_is() {
        let branch = || GraphBuilder::default().node("Relu", &["x"], "y").output("y", &[-1, 2]);
        let parts = [subgraph("then_branch", &branch()), subgraph("else_branch", &branch())];
        assert_eq!(prune(&base().node_with("If", &["c"], "y", &parts).model(), &["y"]), Ok(None));
    }

    #[test]
    fn damage_is_an_error() {
        let model = base().node("Relu", &["x"], "y").model();
        assert!(prune(&model[..model.len() - 1], &["y"]).is_err());
    }
}
