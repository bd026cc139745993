//! The trained network as the four graphs of the contract (models/README.md).
//!
//! Standard operators, and no statistic over rows: a row depends on nothing but itself.

use super::layer::Layer;
use super::losses::STEPS;
use super::network::{
    AVERAGES, CHOICE_ITEM, DECAYS, EVENT, EVENT_ITEM, GATED, HIDDEN, ITEM, Inputs, Network, PRIOR, QUERY, REJECT,
    START, STATE, SUMS, TASTE,
};
use crate::onnx::{Axis, GraphWriter};
use crate::user::{EMPTY_SLOT, RATINGS};
use ndarray::{Array2, s};

const ROWS: Axis = Axis::Any("n");
const SLOTS: Axis = Axis::Any("k");

/// The names of the graphs and their bytes.
pub(super) fn graphs(network: &Network, inputs: Inputs) -> [(&'static str, Vec<u8>); 4] {
    [
        ("item", item(network, inputs)),
        ("start", start(network, inputs)),
        ("update", update(network)),
        ("choice", choice(network, inputs)),
    ]
}

fn dense(graph: &mut GraphWriter, x: &str, layer: &Layer, out: &str) {
    graph.gemm(x, layer.weights.view(), layer.bias.iter().copied(), out);
}

fn item(network: &Network, inputs: Inputs) -> Vec<u8> {
    let mut graph = GraphWriter::default();
    graph.input("attributes", &[ROWS, Axis::Fixed(inputs.attributes)]);
    graph.input("vectors", &[ROWS, Axis::Fixed(inputs.vectors)]);
    graph.output("item", &[ROWS, Axis::Fixed(ITEM)]);
    graph.node("Concat", &["attributes", "vectors"], &["known"], &[("axis", 1)]);
    dense(&mut graph, "known", &network.item_in, "hidden_linear");
    graph.node("Relu", &["hidden_linear"], &["hidden"], &[]);
    dense(&mut graph, "hidden", &network.item_out, "made");
    dense(&mut graph, "known", &network.item_skip, "skipped");
    graph.node("Add", &["made", "skipped"], &["item"], &[]);
    graph.finish("item")
}

/// Averages and sums of a user without history are 0: zero columns before the profile's weights.
fn start(network: &Network, inputs: Inputs) -> Vec<u8> {
    let mut graph = GraphWriter::default();
    graph.input("profile", &[ROWS, Axis::Fixed(inputs.profile)]);
    outputs(&mut graph, "state");
    let mut weights = Array2::zeros((inputs.profile, STATE));
    weights.slice_mut(s![.., STATE - START..]).assign(&network.profile.weights);
    let bias = std::iter::repeat_n(0.0, STATE - START).chain(network.profile.bias.iter().copied());
    graph.gemm("profile", weights.view(), bias, "profile_linear");
    graph.node("Tanh", &["profile_linear"], &["state"], &[]);
    graph.split("state", &[AVERAGES as i64, SUMS as i64, START as i64], 1, &["averages", "sums", "known"]);
    query(&mut graph, network);
    graph.finish("start")
}

fn outputs(graph: &mut GraphWriter, state: &str) {
    graph.output(state, &[ROWS, Axis::Fixed(STATE)]);
    graph.output("query", &[ROWS, Axis::Fixed(QUERY)]);
}

fn update(network: &Network) -> Vec<u8> {
    let mut graph = GraphWriter::default();
    graph.input("state", &[ROWS, Axis::Fixed(STATE)]);
    graph.input("item", &[ROWS, Axis::Fixed(ITEM)]);
    graph.input("event", &[ROWS, Axis::Fixed(EVENT)]);
    outputs(&mut graph, "state_next");
    let parts = ["choice_part", "event_part", "rated_part"];
    graph.split("item", &[CHOICE_ITEM as i64, EVENT_ITEM as i64, TASTE as i64], 1, &parts);
    graph.split("state", &[AVERAGES as i64, SUMS as i64, START as i64], 1, &["faded_from", "sums_before", "known"]);
    dense(&mut graph, "event", &network.event, "event_linear");
    graph.node("Add", &["event_part", "event_linear"], &["x_linear"], &[]);
    graph.node("Tanh", &["x_linear"], &["x"], &[]);
    graph.node("Concat", &["x"; DECAYS.len()], &["x_tiled"], &[("axis", 1)]);
    let decays = || DECAYS.into_iter().flat_map(|decay| std::iter::repeat_n(decay, EVENT_ITEM));
    graph.floats("gain", &[AVERAGES], decays().map(|decay| 1.0 - decay));
    graph.floats("decay", &[AVERAGES], decays());
    graph.node("Mul", &["x_tiled", "gain"], &["gained"], &[]);
    graph.node("Mul", &["faded_from", "decay"], &["faded"], &[]);
    graph.node("Add", &["faded", "gained"], &["averages"], &[]);
    graph.split("event", &[1, 1, 1], 1, &["rating", "liked", "is_rated"]);
    graph.node("Mul", &["rated_part", "rating"], &["rated_product"], &[]);
    graph.node("Concat", &["rated_product", "rating", "is_rated"], &["rated_now"], &[("axis", 1)]);
    graph.node("Add", &["sums_before", "rated_now"], &["sums"], &[]);
    graph.node("Concat", &["averages", "sums", "known"], &["state_next"], &[("axis", 1)]);
    query(&mut graph, network);
    graph.finish("update")
}

/// `query` from `averages`, `sums` and `known`.
fn query(graph: &mut GraphWriter, network: &Network) {
    graph.split("sums", &[SUMS as i64 - 1, 1], 1, &["sums_without", "number"]);
    graph.floats("prior", &[1], [PRIOR]);
    graph.node("Add", &["number", "prior"], &["divisor"], &[]);
    graph.node("Div", &["sums", "divisor"], &["rated"], &[]);
    graph.node("Concat", &["averages", "rated", "known"], &["told"], &[("axis", 1)]);
    dense(graph, "told", &network.query_in, "query_linear");
    graph.node("Relu", &["query_linear"], &["query_hidden"], &[]);
    dense(graph, "query_hidden", &network.query_out, "query_made");
    let mut weights = Array2::zeros((SUMS, QUERY));
    weights.slice_mut(s![.., QUERY - TASTE - 1..]).assign(&network.rated.weights);
    let bias = std::iter::repeat_n(0.0, QUERY - TASTE - 1).chain(network.rated.bias.iter().copied());
    graph.gemm("rated", weights.view(), bias, "query_rated");
    graph.node("Add", &["query_made", "query_rated"], &["query"], &[]);
}

fn choice(network: &Network, inputs: Inputs) -> Vec<u8> {
    let mut graph = GraphWriter::default();
    graph.input("query", &[ROWS, Axis::Fixed(QUERY)]);
    graph.input("item", &[ROWS, SLOTS, Axis::Fixed(CHOICE_ITEM)]);
    graph.input("context", &[ROWS, SLOTS, Axis::Fixed(inputs.context)]);
    graph.input("slots", &[ROWS, SLOTS]);
    graph.output("choice", &[ROWS, Axis::Any("k_and_reject")]);
    graph.output("rating", &[ROWS, SLOTS, Axis::Fixed(RATINGS)]);
    let sizes = [GATED, HIDDEN, REJECT, TASTE, 1].map(|size| size as i64);
    graph.split("query", &sizes, 1, &["gate", "bias", "reject_part", "user_taste", "user_bias"]);
    graph.split("item", &[GATED as i64, TASTE as i64, 1], 2, &["gated_part", "item_taste", "item_bias"]);
    graph.wholes("slot_axis", &[1]);
    graph.wholes("last_axis", &[2]);
    hidden(&mut graph, network);
    graph.floats("choice_w", &[HIDDEN, 1], network.choice.weights.iter().copied());
    graph.node("MatMul", &["hidden", "choice_w"], &["score_column"], &[]);
    graph.node("Squeeze", &["score_column", "last_axis"], &["score_linear"], &[]);
    graph.floats("choice_b", &[1], network.choice.bias.iter().copied());
    graph.node("Add", &["score_linear", "choice_b"], &["score"], &[]);
    graph.node("Cast", &["slots"], &["used"], &[("to", 9)]);
    graph.floats("empty", &[], [EMPTY_SLOT]);
    graph.node("Where", &["used", "score", "empty"], &["score_used"], &[]);
    reject(&mut graph, network);
    graph.node("Concat", &["score_used", "reject_score"], &["choice"], &[("axis", 1)]);
    rating(&mut graph, network);
    graph.finish("choice")
}

/// `hidden [n, k, HIDDEN]`; the layer's own bias rides on the user's, which is one row per user instead of one per slot.
fn hidden(graph: &mut GraphWriter, network: &Network) {
    graph.node("Unsqueeze", &["gate", "slot_axis"], &["gate_row"], &[]);
    graph.node("Mul", &["gate_row", "gated_part"], &["gated"], &[]);
    graph.node("Concat", &["gated", "context"], &["seen"], &[("axis", 2)]);
    graph.floats("slot_w", network.slot.weights.shape(), network.slot.weights.iter().copied());
    graph.node("MatMul", &["seen", "slot_w"], &["slot_linear"], &[]);
    graph.floats("slot_b", &[HIDDEN], network.slot.bias.iter().copied());
    graph.node("Add", &["bias", "slot_b"], &["both_biases"], &[]);
    graph.node("Unsqueeze", &["both_biases", "slot_axis"], &["bias_row"], &[]);
    graph.node("Add", &["slot_linear", "bias_row"], &["slot_sum"], &[]);
    graph.node("Relu", &["slot_sum"], &["hidden"], &[]);
}

/// `reject_score [n, 1]`.
fn reject(graph: &mut GraphWriter, network: &Network) {
    graph.node("ReduceSum", &["slots", "slot_axis"], &["number"], &[("keepdims", 1)]);
    graph.floats("one", &[1], [1.0]);
    graph.floats("four", &[1], [4.0]);
    graph.node("Sub", &["number", "one"], &["number_less"], &[]);
    graph.node("Div", &["number_less", "four"], &["number_scaled"], &[]);
    graph.node("Concat", &["reject_part", "number_scaled"], &["reject_seen"], &[("axis", 1)]);
    dense(graph, "reject_seen", &network.reject_in, "reject_linear");
    graph.node("Relu", &["reject_linear"], &["reject_hidden"], &[]);
    dense(graph, "reject_hidden", &network.reject_out, "reject_score");
}

/// `rating [n, k, RATINGS]`.
fn rating(graph: &mut GraphWriter, network: &Network) {
    graph.node("Unsqueeze", &["user_taste", "slot_axis"], &["taste_row"], &[]);
    graph.node("Mul", &["taste_row", "item_taste"], &["taste_product"], &[]);
    graph.node("ReduceSum", &["taste_product", "last_axis"], &["taste_sum"], &[("keepdims", 1)]);
    graph.node("Add", &["taste_sum", "item_bias"], &["liked_by_item"], &[]);
    graph.node("Unsqueeze", &["user_bias", "slot_axis"], &["user_bias_row"], &[]);
    graph.node("Add", &["liked_by_item", "user_bias_row"], &["like"], &[]);
    graph.floats("steps", &[RATINGS], STEPS);
    graph.node("Mul", &["like", "steps"], &["like_steps"], &[]);
    graph.floats("rating_w", network.rating.weights.shape(), network.rating.weights.iter().copied());
    graph.node("MatMul", &["hidden", "rating_w"], &["rating_linear"], &[]);
    graph.floats("rating_b", &[RATINGS], network.rating.bias.iter().copied());
    graph.node("Add", &["rating_linear", "rating_b"], &["rating_own"], &[]);
    graph.node("Add", &["rating_own", "like_steps"], &["rating"], &[]);
}
