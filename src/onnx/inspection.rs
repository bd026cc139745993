//! Static inspection of a graph before it is loaded.
//!
//! Does it terminate, is it deterministic, is its size acceptable, and which files does it read?
//!
//! ONNX Runtime draws random numbers, runs endless loops, divides by zero (which ends the process) and expands nested
//! functions without limits. All of that is refused here, with the name of the operator. [`super::memory`] bounds what
//! a graph allocates while it runs; dependence between rows shows only at run time.

use super::operators::{Admission, admission};
use super::protobuf::{Content, Fields};
use super::values::{Known, Scope};
use std::collections::{BTreeMap, BTreeSet};

/// The most nodes of a graph; those of functions count at each call.
const MOST_NODES: usize = 200_000;

/// The deepest nesting of subgraphs and functions.
const DEEPEST: usize = 32;

/// Refuses a graph that this program does not run; returns the names of its weight files.
pub(super) fn inspect(model: &[u8]) -> Result<BTreeSet<String>, String> {
    let mut inspection = Inspection::default();
    let mut graphs = Vec::new();
    for field in Fields(model) {
        match field? {
            (7, content) => graphs.push(content.bytes()),
            (20, _) => return Err("it has training information; export it for inference".to_owned()),
            (25, content) => inspection.declare(content.bytes())?,
            _ => {}
        }
    }
    if graphs.is_empty() {
        return Err("it has no graph: it is no ONNX graph, or the file is damaged".to_owned());
    }
    for graph in graphs {
        inspection.graph(graph, &Scope::default(), 0)?;
    }
    Ok(inspection.weights)
}

/// The parts of a node.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub name: &'a str,
    pub operator: &'a str,
    pub domain: &'a str,
    overload: &'a str,
    attributes: Vec<&'a [u8]>,
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Result<Node<'a>, String> {
        let mut node = Node::default();
        for field in Fields(bytes) {
            match field? {
                (1, content) => node.inputs.push(content.text()?),
                (2, content) => node.outputs.push(content.text()?),
                (3, content) => node.name = content.text()?,
                (4, content) => node.operator = content.text()?,
                (5, content) => node.attributes.push(content.bytes()),
                (7, content) => node.domain = content.text()?,
                (8, content) => node.overload = content.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// The field `number` of the attribute `name`.
    pub(super) fn attribute(&self, name: &str, number: u64) -> Result<Option<Content<'a>>, String> {
        for attribute in &self.attributes {
            let (mut found, mut content) = ("", None);
            for field in Fields(attribute) {
                match field? {
                    (1, text) => found = text.text()?,
                    (field, value) if field == number => content = Some(value),
                    _ => {}
                }
            }
            if found == name {
                return Ok(content);
            }
        }
        Ok(None)
    }

    /// The name in messages.
    fn title(&self) -> String {
        match self.name {
            "" => format!("the operator `{}`", self.operator),
            name => format!("the operator `{}` (node `{name}`)", self.operator),
        }
    }
}

/// A function of the model: names of inputs and outputs, and its nodes.
#[derive(Default)]
struct Function<'a> {
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    nodes: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Inspection<'a> {
    /// By domain, name and overload.
    functions: BTreeMap<(&'a str, &'a str, &'a str), Function<'a>>,
    weights: BTreeSet<String>,
    nodes: usize,
}

impl<'a> Inspection<'a> {
    fn declare(&mut self, bytes: &'a [u8]) -> Result<(), String> {
        let (mut key, mut function) = (("", "", ""), Function::default());
        for field in Fields(bytes) {
            match field? {
                (1, content) => key.1 = content.text()?,
                (4, content) => function.inputs.push(content.text()?),
                (5, content) => function.outputs.push(content.text()?),
                (7, content) => function.nodes.push(content.bytes()),
                (10, content) => key.0 = content.text()?,
                (13, content) => key.2 = content.text()?,
                _ => {}
            }
        }
        self.functions.insert(key, function);
        Ok(())
    }

    /// Inspects a graph; returns facts about its outputs.
    fn graph(&mut self, bytes: &'a [u8], outer: &Scope<'_, 'a>, depth: usize) -> Result<Vec<Known>, String> {
        let (mut scope, mut nodes, mut outputs) = (outer.inner(), Vec::new(), Vec::new());
        for field in Fields(bytes) {
            match field? {
                (1, content) => nodes.push(content.bytes()),
                (5, content) => {
                    self.tensor(content.bytes())?;
                    scope.initializer(content.bytes())?;
                }
                (11 | 13, content) => scope.declared(content.bytes()).map(|_| ())?,
                (12, content) => outputs.push(scope.declared(content.bytes())?),
                (15, content) => {
                    for part in Fields(content.bytes()) {
                        self.tensor(part?.1.bytes())?;
                    }
                }
                _ => {}
            }
        }
        self.nodes(&nodes, &mut scope, depth)?;
        Ok(outputs.into_iter().map(|name| scope.known(name)).collect())
    }

    fn nodes(&mut self, nodes: &[&'a [u8]], scope: &mut Scope<'_, 'a>, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("subgraphs or functions are nested more than {DEEPEST} deep"));
        }
        for bytes in nodes {
            self.nodes += 1;
            if self.nodes > MOST_NODES {
                return Err(format!("it has more than {MOST_NODES} nodes with those of its functions"));
            }
            let node = Node::read(bytes)?;
            let found = self.node(&node, scope, depth)?;
            for (place, &name) in node.outputs.iter().enumerate() {
                scope.set(name, found.get(place).copied().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Inspects a node; returns facts about its outputs.
    fn node(&mut self, node: &Node<'a>, scope: &Scope<'_, 'a>, depth: usize) -> Result<Vec<Known>, String> {
        let mut inner = Vec::new();
        for attribute in &node.attributes {
            for field in Fields(attribute) {
                match field? {
                    (5 | 10, content) => self.tensor(content.bytes())?,
                    (6 | 11, content) => inner = self.graph(content.bytes(), scope, depth + 1)?,
                    (22 | 23, content) => {
                        for part in Fields(content.bytes()) {
                            self.tensor(part?.1.bytes())?;
                        }
                    }
                    _ => {}
                }
            }
        }
        let key = (node.domain, node.operator, node.overload);
        if self.functions.contains_key(&key) {
            return self.call(key, node, scope, depth);
        }
        check_operator(node, scope)?;
        Ok(if node.operator == "If" { inner } else { scope.results(node)? })
    }

    /// A call of one of the model's own functions.
    fn call(
        &mut self,
        key: (&'a str, &'a str, &'a str),
        node: &Node<'a>,
        scope: &Scope<'_, 'a>,
        depth: usize,
    ) -> Result<Vec<Known>, String> {
        let Some(Function { inputs, outputs, nodes }) = self.functions.get(&key) else { return Ok(Vec::new()) };
        let mut own = Scope::default();
        for (place, &name) in inputs.iter().enumerate() {
            own.set(name, node.inputs.get(place).map(|input| scope.known(input)).unwrap_or_default());
        }
        let (outputs, nodes) = (outputs.clone(), nodes.clone());
        self.nodes(&nodes, &mut own, depth + 1)?;
        Ok(outputs.into_iter().map(|name| own.known(name)).collect())
    }

    /// Records the file in which a tensor stores its numbers.
    fn tensor(&mut self, bytes: &'a [u8]) -> Result<(), String> {
        for field in Fields(bytes) {
            let (13, content) = field? else { continue };
            let (mut key, mut value) = ("", "");
            for part in Fields(content.bytes()) {
                match part? {
                    (1, content) => key = content.text()?,
                    (2, content) => value = content.text()?,
                    _ => {}
                }
            }
            if key == "location" {
                self.weights.insert(value.to_owned());
            }
        }
        Ok(())
    }
}

fn check_operator(node: &Node<'_>, scope: &Scope<'_, '_>) -> Result<(), String> {
    let title = node.title();
    match admission(node.domain, node.operator) {
        Admission::Admitted => {}
        Admission::Refused(why) => return Err(format!("{title} {why}")),
        Admission::Unknown => {
            let domain = if node.domain.is_empty() { "ai.onnx" } else { node.domain };
            return Err(format!(
                "{title} of the domain `{domain}` is not one that is run (src/onnx/operators.rs has the list); export the \
                 model with others"
            ));
        }
    }
    match node.operator {
        // ONNX Runtime's versions from before the mode was an input only infer.
        "Dropout" if !scope.is_off(node.inputs.get(2).copied().unwrap_or_default()) => {
            Err(format!("{title} is in training mode and draws random numbers; export the model for inference"))
        }
        "BatchNormalization" if node.attribute("training_mode", 3)?.is_some_and(|mode| mode.number() != 0) => {
            Err(format!("{title} is in training mode, where rows depend on each other; export the model for inference"))
        }
        "Div" | "Mod" if !scope.is_safe_division(node) => Err(format!(
            "{title} divides whole numbers by what may be 0, which would end the program; divide by a constant, by \
             `Max(x, 1)`, or divide floats"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::testing_graphs::{GraphBuilder, INT64, bytes, int, outside, subgraph, tensor};

    fn base() -> GraphBuilder {
        GraphBuilder::default().input("x", &[-1, 2]).output("y", &[-1, 2])
    }

    #[track_caller]
    fn refuse(graph: &GraphBuilder, words: &[&str]) {
        let problem = inspect(&graph.model()).expect_err("refused");
        for word in words {
            assert!(problem.contains(word), "no `{word}` in: {problem}");
        }
    }

    #[track_caller]
    fn admit(graph: &GraphBuilder) {
        assert_eq!(inspect(&graph.model()), Ok(BTreeSet::new()));
    }

    #[test]
    fn operators_that_draw_are_refused_everywhere() {
        for name in
            ["RandomNormalLike", "RandomUniformLike", "Bernoulli", "RandomNormal", "RandomUniform", "Multinomial"]
        {
            let drawing = base().node(name, &["x"], "y");
            refuse(&drawing, &[&format!("the operator `{name}` draws random numbers")]);
            let branch = GraphBuilder::default().node(name, &["x"], "y").output("y", &[-1, 2]);
            let calm = GraphBuilder::default().node("Relu", &["x"], "y").output("y", &[-1, 2]);
            let inner = subgraph("else_branch", &branch);
            let outer = base().node_with("If", &["c"], "y", &[subgraph("then_branch", &calm), inner]);
            refuse(&outer, &[name, "draws random numbers"]);
            let function = base().function("F", &[("", name, &["x"], "y")]);
            refuse(&function.full_node("own", "F", &["x"], &["y"], &[]), &[name, "draws random numbers"]);
        }
    }

    #[test]
    fn training_mode_is_refused() {
        let dropout = |inputs: &[&str]| {
            let on = bytes(9, &[1]);
            let off = bytes(9, &[0]);
            let flag = |name: &str, raw: &[u8]| [&[0x10, 9][..], &bytes(8, name.as_bytes()), raw].concat();
            base().tensor(&flag("on", &on)).tensor(&flag("off", &off)).node("Dropout", inputs, "y")
        };
        admit(&dropout(&["x"]));
        admit(&dropout(&["x", "", ""]));
        admit(&dropout(&["x", "", "off"]));
        refuse(&dropout(&["x", "", "on"]), &["`Dropout` is in training mode"]);
        refuse(&dropout(&["x", "", "mode"]), &["`Dropout` is in training mode"]);
        let normal = |mode: i64| base().node_with("BatchNormalization", &["x"], "y", &[int("training_mode", mode)]);
        admit(&normal(0));
        refuse(&normal(1), &["`BatchNormalization` is in training mode"]);
    }

    #[test]
    fn loops_and_strangers_are_refused() {
        for name in ["Loop", "Scan"] {
            refuse(&base().node(name, &["x"], "y"), &[name, "may run without an end"]);
        }
        refuse(&base().node("Whatever", &["x"], "y"), &["`Whatever` of the domain `ai.onnx`", "operators.rs"]);
        refuse(&base().full_node("my", "Relu", &["x"], &["y"], &[]), &["`Relu` of the domain `my`"]);
    }

    #[test]
    fn functions_count_as_often_as_they_are_called() {
        let doubling = |levels: usize| {
            let mut graph = base().function("F0", &[("", "Relu", &["x"], "y")]);
            for level in 1..=levels {
                let inner = format!("F{}", level - 1);
                graph =
                    graph.function(&format!("F{level}"), &[("own", &inner, &["x"], "t"), ("own", &inner, &["t"], "y")]);
            }
            graph.full_node("own", &format!("F{levels}"), &["x"], &["y"], &[])
        };
        admit(&doubling(10));
        refuse(&doubling(30), &["more than 200000 nodes"]);
        let endless = base().function("F", &[("own", "F", &["x"], "y")]);
        refuse(&endless.full_node("own", "F", &["x"], &["y"], &[]), &["more than 32 deep"]);
        let mut deep = GraphBuilder::default().node("Relu", &["x"], "y").output("y", &[2]);
        for _ in 0..1_000 {
            deep = GraphBuilder::default().node_with("If", &["c"], "y", &[subgraph("then_branch", &deep)]);
        }
        refuse(&deep, &["more than 32 deep"]);
    }

    #[test]
    fn divisions_of_integers_need_a_positive_divisor() {
        let whole = |divisor: &str, operator: &str| {
            let graph = GraphBuilder::default().input("x", &[-1, 2]).typed_output("y", INT64, &[-1, 2]);
            let graph = graph.ints("zero", &[0]).ints("four", &[4]).ints("minus", &[-1]).ints("mixed", &[3, 0]);
            let graph = graph.node_with("Cast", &["x"], "i", &[int("to", INT64 as i64)]);
            let graph = graph.node("Max", &["i", "four"], "most").node("Unsqueeze", &["four", "zero"], "turned");
            graph.node(operator, &["i", divisor], "y")
        };
        for operator in ["Div", "Mod"] {
            for divisor in ["four", "most", "turned"] {
                admit(&whole(divisor, operator));
            }
            for divisor in ["zero", "minus", "mixed", "i"] {
                refuse(&whole(divisor, operator), &[operator, "divides whole numbers by what may be 0", "Max(x, 1)"]);
            }
        }
        admit(&base().node("Div", &["x", "x"], "y"));
        admit(&base().node("Relu", &["x"], "z").node("Div", &["z", "x"], "y"));
        let shape = base().node("Shape", &["x"], "s").node("Div", &["s", "s"], "y");
        refuse(&shape, &["divides whole numbers"]);
        // In a function the types are those of its call.
        let function = base().function("F", &[("", "Div", &["x", "x"], "y")]);
        admit(&function.clone().full_node("own", "F", &["x"], &["y"], &[]));
        refuse(&function.node("Shape", &["x"], "s").full_node("own", "F", &["s"], &["y"], &[]), &["`Div`"]);
    }

    #[test]
    fn files_of_weights_are_found_everywhere() {
        let inner = outside("b", &[2], "b.bin");
        let graph =
            base().tensor(&outside("a", &[2], "a.bin")).node_with("Constant", &[], "b", &[tensor("value", &inner)]);
        let found = inspect(&graph.node("Add", &["x", "a"], "y").model()).expect("admitted");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a.bin", "b.bin"]);
    }

    #[test]
    fn invalid_graphs_are_reported() {
        for bytes in [&b""[..], b"this is no graph", &[0xff; 100], &base().model()[..40]] {
            assert!(inspect(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn the_shipped_graphs_are_admitted() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in [
            "models/mirror/item.onnx",
            "models/mirror/start.onnx",
            "models/mirror/update.onnx",
            "models/mirror/choice.onnx",
            "models/sasrec/ranker.onnx",
            "tests/fixtures/ranker/ranker.onnx",
            "tests/fixtures/ranker/rated.onnx",
            "tests/fixtures/embedder/model.onnx",
            "tests/fixtures/language/llama/model.onnx",
            "tests/fixtures/language/llama/halves.onnx",
        ] {
            let bytes = std::fs::read(root.join(name)).expect(name);
            assert_eq!(inspect(&bytes), Ok(BTreeSet::new()), "{name}");
        }
        let bytes = std::fs::read(root.join("tests/fixtures/language/qwen2/model.onnx")).expect("a graph");
        assert_eq!(inspect(&bytes), Ok(["model.onnx_data".to_owned()].into()));
    }
}
