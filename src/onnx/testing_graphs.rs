//! Small graphs for tests, written byte by byte.

/// `TensorProto.DataType`.
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;

/// A graph under construction.
#[derive(Clone, Default)]
pub(crate) struct GraphBuilder {
    fields: Vec<u8>,
    functions: Vec<u8>,
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub(crate) fn number(field: u64, value: i64) -> Vec<u8> {
    [varint(field << 3), varint(value as u64)].concat()
}

pub(crate) fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

pub(crate) fn text(field: u64, content: &str) -> Vec<u8> {
    bytes(field, content.as_bytes())
}

/// An integer attribute.
pub(crate) fn int(name: &str, value: i64) -> Vec<u8> {
    [text(1, name), number(3, value), number(20, 2)].concat()
}

/// An attribute of integers.
pub(crate) fn ints(name: &str, values: &[i64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|&value| number(8, value)).collect();
    [text(1, name), values, number(20, 7)].concat()
}

/// An attribute that is a graph.
pub(crate) fn subgraph(name: &str, graph: &GraphBuilder) -> Vec<u8> {
    [text(1, name), bytes(6, &graph.fields), number(20, 5)].concat()
}

/// An attribute that is a tensor.
pub(crate) fn tensor(name: &str, tensor: &[u8]) -> Vec<u8> {
    [text(1, name), bytes(5, tensor), number(20, 4)].concat()
}

/// A tensor with its numbers inside.
pub(crate) fn inside(name: &str, kind: u64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&size| number(1, size)).collect();
    [dims, number(2, kind as i64), text(8, name), bytes(9, raw)].concat()
}

/// A tensor of floats with its numbers in a file.
pub(crate) fn outside(name: &str, dims: &[i64], location: &str) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&size| number(1, size)).collect();
    let entry = bytes(13, &[text(1, "location"), text(2, location)].concat());
    [dims, number(2, FLOAT as i64), text(8, name), entry, number(14, 1)].concat()
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn value(name: &str, kind: u64, dims: &[i64]) -> Vec<u8> {
    let dim = |&size: &i64| match size {
        0.. => bytes(1, &number(1, size)),
        free => bytes(1, &text(2, &format!("d{}", -free))),
    };
    let shape: Vec<u8> = dims.iter().flat_map(dim).collect();
    let tensor = [number(1, kind as i64), bytes(2, &shape)].concat();
    [text(1, name), bytes(2, &bytes(1, &tensor))].concat()
}

fn node(domain: &str, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|name| text(1, name)).collect();
    node.extend(outputs.iter().flat_map(|name| text(2, name)));
    node.extend(text(4, operator));
    node.extend(attributes.iter().flat_map(|attribute| bytes(5, attribute)));
    node.extend(text(7, domain));
    node
}

impl GraphBuilder {
    /// An input of floats; a negative size is free.
    pub(crate) fn input(self, name: &str, dims: &[i64]) -> GraphBuilder {
        self.typed_input(name, FLOAT, dims)
    }

    pub(crate) fn typed_input(mut self, name: &str, kind: u64, dims: &[i64]) -> GraphBuilder {
        self.fields.extend(bytes(11, &value(name, kind, dims)));
        self
    }

    pub(crate) fn output(self, name: &str, dims: &[i64]) -> GraphBuilder {
        self.typed_output(name, FLOAT, dims)
    }

    pub(crate) fn typed_output(mut self, name: &str, kind: u64, dims: &[i64]) -> GraphBuilder {
        self.fields.extend(bytes(12, &value(name, kind, dims)));
        self
    }

    pub(crate) fn tensor(mut self, tensor: &[u8]) -> GraphBuilder {
        self.fields.extend(bytes(5, tensor));
        self
    }

    pub(crate) fn floats(self, name: &str, dims: &[i64], values: &[f32]) -> GraphBuilder {
        self.tensor(&inside(name, FLOAT, dims, &floats(values)))
    }

    pub(crate) fn ints(self, name: &str, values: &[i64]) -> GraphBuilder {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(&inside(name, INT64, &[values.len() as i64], &raw))
    }

    pub(crate) fn node(self, operator: &str, inputs: &[&str], output: &str) -> GraphBuilder {
        self.full_node("", operator, inputs, &[output], &[])
    }

    pub(crate) fn node_with(
        self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[Vec<u8>],
    ) -> GraphBuilder {
        self.full_node("", operator, inputs, &[output], attributes)
    }

    pub(crate) fn full_node(
        mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Vec<u8>],
    ) -> GraphBuilder {
        self.fields.extend(bytes(1, &node(domain, operator, inputs, outputs, attributes)));
        self
    }

    /// A function `own.NAME` of the model: `x` in, `y` out, made of (domain, operator, inputs, output).
    pub(crate) fn function(mut self, name: &str, nodes: &[(&str, &str, &[&str], &str)]) -> GraphBuilder {
        let mut function = [text(1, name), text(4, "x"), text(5, "y"), text(10, "own")].concat();
        for (domain, operator, inputs, output) in nodes {
            function.extend(bytes(7, &node(domain, operator, inputs, &[output], &[])));
        }
        for (domain, version) in [("", 18), ("own", 1)] {
            function.extend(bytes(9, &[text(1, domain), number(2, version)].concat()));
        }
        self.functions.extend(bytes(25, &function));
        self
    }

    /// The bytes of the model.
    pub(crate) fn model(&self) -> Vec<u8> {
        let graph = [self.fields.clone(), text(2, "test")].concat();
        let mut model = [number(1, 8), bytes(7, &graph)].concat();
        for (domain, version) in [("", 18), ("own", 1), ("com.microsoft", 1)] {
            model.extend(bytes(8, &[text(1, domain), number(2, version)].concat()));
        }
        [model, self.functions.clone()].concat()
    }

    /// Writes the model.
    pub(crate) fn write(&self, path: &std::path::Path) {
        std::fs::write(path, self.model()).expect("written");
    }
}

/// True if ONNX Runtime is available; without it, only `RECMIRROR_OFFLINE=1` lets tests skip it.
pub(crate) fn has_runtime() -> bool {
    let found = super::Runtime::get();
    let offline = std::env::var("RECMIRROR_OFFLINE").is_ok_and(|value| value == "1");
    assert!(found.is_ok() || offline, "run `make runtime` first, or set RECMIRROR_OFFLINE=1: {:?}", found.err());
    found.is_ok()
}
