//! Writes small ONNX models: graphs of standard operators with their weights inside.
//!
//! The file is a `ModelProto` in protobuf's wire format (protobuf.dev, "Encoding"; the field numbers are those of
//! `onnx.proto3`). It supports only what a small dense network needs: float and int64 tensors, integer attributes.

use ndarray::ArrayView2;

/// Version of the operators.
const OPSET: u64 = 17;
/// Version of the format.
const IR_VERSION: u64 = 8;
const FLOAT: u64 = 1;
const INT64: u64 = 7;
/// `AttributeProto.type` of an integer.
const WHOLE: u64 = 2;

/// A message under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn whole(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    pub(super) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }
}

/// A dimension of an input or output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Axis {
    /// Of this size.
    Fixed(usize),
    /// Of any size; equal names have equal sizes.
    Any(&'static str),
}

/// Collects nodes and constants. Every call names its result, so equal weights give equal bytes.
#[derive(Debug, Default)]
pub(crate) struct GraphWriter {
    nodes: Message,
    constants: Message,
    inputs: Message,
    outputs: Message,
}

impl GraphWriter {
    /// An input of 32-bit floats.
    pub(crate) fn input(&mut self, name: &str, shape: &[Axis]) {
        port(&mut self.inputs, 11, name, shape);
    }

    /// An output of 32-bit floats.
    pub(crate) fn output(&mut self, name: &str, shape: &[Axis]) {
        port(&mut self.outputs, 12, name, shape);
    }

    /// A stored tensor of 32-bit floats.
    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: impl IntoIterator<Item = f32>) {
        let raw: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.constant(name, FLOAT, shape, &raw);
    }

    /// A stored list of integers.
    pub(crate) fn wholes(&mut self, name: &str, values: &[i64]) {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, INT64, &[values.len()], &raw);
    }

    fn constant(&mut self, name: &str, kind: u64, shape: &[usize], raw: &[u8]) {
        self.constants.message(5, |tensor| {
            shape.iter().for_each(|&size| tensor.whole(1, size as u64));
            tensor.whole(2, kind);
            tensor.bytes(8, name.as_bytes());
            tensor.bytes(9, raw);
        });
    }

    /// A node with integer attributes.
    pub(crate) fn node(&mut self, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, i64)]) {
        self.nodes.message(1, |node| {
            inputs.iter().for_each(|name| node.bytes(1, name.as_bytes()));
            outputs.iter().for_each(|name| node.bytes(2, name.as_bytes()));
            node.bytes(3, outputs[0].as_bytes());
            node.bytes(4, operator.as_bytes());
            for (name, value) in attributes {
                node.message(5, |attribute| {
                    attribute.bytes(1, name.as_bytes());
                    attribute.whole(3, *value as u64);
                    attribute.whole(20, WHOLE);
                });
            }
        });
    }

    /// `out [n, b] = x [n, a] weights [a, b] + bias [b]`.
    pub(crate) fn gemm(
        &mut self,
        x: &str,
        weights: ArrayView2<'_, f32>,
        bias: impl IntoIterator<Item = f32>,
        out: &str,
    ) {
        let [w, b] = ["w", "b"].map(|part| format!("{out}_{part}"));
        self.floats(&w, weights.shape(), weights.iter().copied());
        self.floats(&b, &[weights.ncols()], bias);
        self.node("Gemm", &[x, &w, &b], &[out], &[]);
    }

    /// Cuts `x` along an axis into parts of these sizes.
    pub(crate) fn split(&mut self, x: &str, sizes: &[i64], axis: i64, outputs: &[&str]) {
        let parts = format!("{}_split", outputs[0]);
        self.wholes(&parts, sizes);
        self.node("Split", &[x, &parts], outputs, &[("axis", axis)]);
    }

    /// The bytes of the model.
    pub(crate) fn finish(self, name: &str) -> Vec<u8> {
        let mut model = Message::default();
        model.whole(1, IR_VERSION);
        model.bytes(2, b"recmirror");
        model.message(7, |graph| {
            graph.0.extend_from_slice(&self.nodes.0);
            graph.bytes(2, name.as_bytes());
            for part in [self.constants, self.inputs, self.outputs] {
                graph.0.extend_from_slice(&part.0);
            }
        });
        model.message(8, |opset| {
            opset.bytes(1, b"");
            opset.whole(2, OPSET);
        });
        model.0
    }
}

fn port(into: &mut Message, field: u64, name: &str, shape: &[Axis]) {
    into.message(field, |value| {
        value.bytes(1, name.as_bytes());
        value.message(2, |kind| {
            kind.message(1, |tensor| {
                tensor.whole(1, FLOAT);
                tensor.message(2, |dims| {
                    for axis in shape {
                        dims.message(1, |dim| match axis {
                            Axis::Fixed(size) => dim.whole(1, *size as u64),
                            Axis::Any(name) => dim.bytes(2, name.as_bytes()),
                        });
                    }
                });
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_format_by_hand() {
        let mut message = Message::default();
        message.whole(1, 150);
        message.bytes(2, b"testing");
        message.message(3, |inner| inner.whole(1, 150));
        // The three examples of protobuf.dev, "Encoding".
        let expected = [&[0x08, 0x96, 0x01][..], &[0x12, 7], b"testing", &[0x1a, 3, 0x08, 0x96, 0x01]].concat();
        assert_eq!(message.0, expected);
    }
}
