//! The operators that a graph may use.
//!
//! A graph comes with a model, and a model may come from anywhere. An admitted operator is a terminating function of
//! its inputs. Other operators are refused by name: to admit one, add it here.

/// The status of an operator in this program.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// A terminating function of its inputs.
    Admitted,
    /// Refused for a reason.
    Refused(&'static str),
    /// Not in the list.
    Unknown,
}

const RANDOM: &str = "draws random numbers, so no answer could be repeated";
const ENDLESS: &str = "may run without an end; unroll it";

/// Operators of the standard, of the domain `ai.onnx`.
const STANDARD: &str = "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitwiseAnd \
    BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Compress Concat Constant ConstantOfShape Conv Cos \
    Cosh CumSum DequantizeLinear Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten \
    Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual \
    GroupNormalization HardSigmoid HardSwish Hardmax Identity If InstanceNormalization IsInf IsNaN LSTM \
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul MatMulInteger Max MaxPool \
    Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QLinearMatMul \
    QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax \
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape RotaryEmbedding Round Scatter \
    ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign SimplifiedLayerNormalization Sin Sinh Size Slice \
    Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Swish Tan Tanh TensorScatter ThresholdedRelu Tile TopK \
    Transpose Trilu Unsqueeze Where Xor";

/// Operators of ONNX Runtime that exports of language models and encoders use.
const CONTRIBUTED: &str = "Attention BiasAdd BiasGelu BiasSplitGelu DynamicQuantizeMatMul EmbedLayerNormalization FastGelu FusedGemm \
    FusedMatMul GatherBlockQuantized Gelu GroupQueryAttention LayerNormalization MatMulInteger16 \
    MatMulIntegerToFloat MatMulNBits MultiHeadAttention QAttention QGemm QuickGelu RotaryEmbedding \
    SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization";

/// The admission of an operator.
pub(super) fn admission(domain: &str, name: &str) -> Admission {
    let known = match domain {
        "" | "ai.onnx" => STANDARD,
        "com.microsoft" => CONTRIBUTED,
        _ => "",
    };
    if known.split(' ').any(|word| word == name) {
        return Admission::Admitted;
    }
    match name {
        "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike" | "Multinomial" | "Bernoulli"
        | "Sampling" | "BiasDropout" | "BitmaskDropout" | "BitmaskBiasDropout" => Admission::Refused(RANDOM),
        "Loop" | "Scan" | "SequenceMap" | "BeamSearch" | "GreedySearch" | "WhisperBeamSearch" => {
            Admission::Refused(ENDLESS)
        }
        _ => Admission::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_order_and_refusals_have_reasons() {
        for list in [STANDARD, CONTRIBUTED] {
            let words: Vec<&str> = list.split(' ').collect();
            assert!(words.windows(2).all(|pair| pair[0] < pair[1]) && !words.contains(&""));
        }
        assert_eq!(admission("", "MatMul"), Admission::Admitted);
        assert_eq!(admission("ai.onnx", "MatMul"), Admission::Admitted);
        assert_eq!(admission("com.microsoft", "MatMulNBits"), Admission::Admitted);
        assert_eq!(admission("", "MatMulNBits"), Admission::Unknown);
        assert_eq!(admission("my.own", "MatMul"), Admission::Unknown);
        assert_eq!(admission("", "RandomNormalLike"), Admission::Refused(RANDOM));
        assert_eq!(admission("", "Loop"), Admission::Refused(ENDLESS));
    }
}
