//! The signature of a causal language model's graph.
//!
//! The names are those of Hugging Face Optimum: `input_ids`, `attention_mask`, `position_ids` and
//! `past_key_values.N.key/value` produce `logits` and `present.N.key/value`. The input `num_logits_to_keep` of exports
//! for transformers.js states for how many of the last tokens logits are computed.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

const LIST: &str = "input_ids, attention_mask, position_ids, num_logits_to_keep and past_key_values.N.key/value";
const EXPORT: &str = "export it with keys and values: `optimum-cli export onnx --task text-generation-with-past`";

/// The layout of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Layers that keep keys and values.
    pub layers: usize,
    /// Heads of keys and values.
    pub heads: usize,
    /// Numbers of a head.
    pub size: usize,
    /// True if it takes a mask of real tokens.
    pub mask: bool,
    /// True if it takes the positions of the tokens.
    pub positions: bool,
    /// True if it can omit unused logits.
    pub keep: bool,
    /// True if keys and values, or logits, have half precision: each in turn.
    pub half: [bool; 2],
}

impl Layout {
    /// Reads the layout, or returns the reason why the graph cannot be used.
    pub(super) fn of(session: &Session) -> Result<Layout, String> {
        let (inputs, outputs) = (session.inputs(), session.outputs());
        let has = |name: &str| inputs.iter().any(|input| input.name() == name);
        if !has("input_ids") {
            return Err(format!("no input `input_ids`; the graph has: {}", names(inputs)));
        }
        for input in inputs {
            check_known(input)?;
        }
        let layers = inputs.iter().filter(|input| part_of(input.name()).is_some()).count() / 2;
        if layers == 0 {
            return Err(format!(
                "no input `past_key_values.0.key`, so every token would read the text again; {EXPORT}"
            ));
        }
        let (heads, size, half) = cache(inputs, outputs, layers)?;
        let logits = find(outputs, "output", "logits")?;
        let (kind, shape) = tensor(logits)?;
        if shape.len() != 3 {
            return Err(format!("output `logits` has shape {shape:?}, expected [batch, sequence, vocabulary]"));
        }
        let half = [half, is_half("output", "logits", kind)?];
        let [mask, positions, keep] = ["attention_mask", "position_ids", "num_logits_to_keep"].map(has);
        Ok(Layout { layers, heads, size, mask, positions, keep, half })
    }
}

/// The name of a layer's keys (0) or values (1) among the inputs.
pub(super) fn past(layer: usize, part: usize) -> String {
    format!("past_key_values.{layer}.{}", ["key", "value"][part])
}

/// Their name among the outputs.
pub(super) fn present(layer: usize, part: usize) -> String {
    format!("present.{layer}.{}", ["key", "value"][part])
}

/// The layer of `past_key_values.N.key` or `.value`.
fn part_of(name: &str) -> Option<usize> {
    let (layer, part) = name.strip_prefix("past_key_values.")?.split_once('.')?;
    ["key", "value"].contains(&part).then(|| layer.parse().ok())?
}

fn check_known(input: &Outlet) -> Result<(), String> {
    let name = input.name();
    if part_of(name).is_some() {
        return Ok(());
    }
    let rank = match name {
        "input_ids" | "attention_mask" | "position_ids" => 2,
        "num_logits_to_keep" => 0,
        "use_cache_branch" => return Err(format!("a merged decoder (input `{name}`) is not supported; {EXPORT}")),
        _ => return Err(format!("unknown input `{name}`; a causal language model has {LIST} and no other")),
    };
    let (kind, shape) = tensor(input)?;
    if kind != TensorElementType::Int64 || shape.len() != rank {
        return Err(format!("input `{name}` is {kind:?} of shape {shape:?}, expected Int64 of {rank} dimensions"));
    }
    Ok(())
}

/// Heads, numbers of a head, and half precision; all layers must agree.
fn cache(inputs: &[Outlet], outputs: &[Outlet], layers: usize) -> Result<(usize, usize, bool), String> {
    let mut found = None;
    for layer in 0..layers {
        for part in [0, 1] {
            let name = past(layer, part);
            find(outputs, "output", &present(layer, part))?;
            let (kind, shape) = tensor(find(inputs, "input", &name)?)?;
            let (heads, size) = match *shape {
                [_, heads, _, size] if heads > 0 && size > 0 => (heads as usize, size as usize),
                _ => {
                    return Err(format!(
                        "input `{name}` has shape {shape:?}, expected [batch, HEADS, past, SIZE] with fixed HEADS and SIZE"
                    ));
                }
            };
            let here = (heads, size, is_half("input", &name, kind)?);
            let first = *found.get_or_insert(here);
            if here != first {
                return Err(format!("input `{name}` differs from `past_key_values.0.key` in heads, size or type"));
            }
        }
    }
    found.ok_or_else(|| "no layers".to_owned())
}

fn find<'a>(outlets: &'a [Outlet], kind: &str, name: &str) -> Result<&'a Outlet, String> {
    let found = outlets.iter().find(|outlet| outlet.name() == name);
    found.ok_or_else(|| format!("no {kind} `{name}`; the graph has: {}", names(outlets)))
}

fn tensor(outlet: &Outlet) -> Result<(TensorElementType, &[i64]), String> {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => Ok((*ty, shape)),
        _ => Err(format!("`{}` is not a tensor", outlet.name())),
    }
}

fn is_half(kind: &str, name: &str, found: TensorElementType) -> Result<bool, String> {
    match found {
        TensorElementType::Float32 => Ok(false),
        TensorElementType::Float16 => Ok(true),
        other => Err(format!("{kind} `{name}` has type {other:?}, expected Float32 or Float16")),
    }
}

/// The first names of a graph that may have hundreds.
fn names(outlets: &[Outlet]) -> String {
    let mut names: Vec<&str> = outlets.iter().map(Outlet::name).take(6).collect();
    if outlets.len() > names.len() {
        names.push("...");
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_contain_the_layer() {
        assert_eq!(part_of(&past(12, 1)), Some(12));
        assert_eq!(present(3, 0), "present.3.key");
        for other in ["past_key_values.x.key", "past_key_values.1.keys", "past.1.key", "input_ids"] {
            assert_eq!(part_of(other), None, "{other}");
        }
    }
}
