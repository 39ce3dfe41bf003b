//! CLIP's ViT-B/32 with random weights, written as an ONNX file: as much work as the real one, whose weights no registry has.

use std::cell::RefCell;
use std::fs::File;
use std::path::Path;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, TypeProtoTensor, ValueInfoProto,
};

use crate::data::Random;

const WIDTH: i64 = 768;
const LAYERS: usize = 12;
const HEADS: i64 = 12;
const PATCH: i64 = 32;
const PATCHES: i64 = 49;
const DIMENSION: i64 = 512;

/// What the folder says of it; the preprocessing is CLIP's.
const MANIFEST: &str = r#"{
  "name": "clip-vit-b32-random", "dimension": 512, "normalise": true,
  "image": {
    "file": "image.onnx", "size": 224, "crop": 1.0, "interpolation": "bicubic",
    "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]
  }
}"#;

/// Its name.
pub(super) const NAME: &str = "clip-vit-b32-random";

/// Makes the folder of the model.
pub(super) fn write(folder: &Path) {
    std::fs::write(folder.join("model.json"), MANIFEST).unwrap();
    let graph = Writer { graph: GraphProto::default(), random: Random::new(1) }.image_tower();
    let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
    let model = ModelProto { ir_version: Some(8), graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() };
    model.write_file(File::create(folder.join("image.onnx")).unwrap()).unwrap();
}

struct Writer {
    graph: GraphProto,
    random: Random,
}

impl Writer {
    fn image_tower(mut self) -> GraphProto {
        self.graph.input = vec![value("pixel_values", &[None, Some(3), Some(224), Some(224)])];
        let kernel = self.weight(&[WIDTH, 3, PATCH, PATCH]);
        let sides = ints("kernel_shape", &[PATCH, PATCH]);
        let patches = self.node("Conv", &["pixel_values", &kernel], vec![sides, ints("strides", &[PATCH, PATCH])]);
        let patches = self.reshape(&patches, &[0, WIDTH, PATCHES]);
        let patches = self.transpose(&patches, &[0, 2, 1]);

        // The token of the class, as often as there are pictures.
        let shape = self.node("Shape", &[&patches], vec![]);
        let (from, to, rest) = (self.whole(&[0]), self.whole(&[1]), self.whole(&[1, WIDTH]));
        let batch = self.node("Slice", &[&shape, &from, &to], vec![]);
        let shape = self.node("Concat", &[&batch, &rest], vec![int("axis", 0)]);
        let class = self.weight(&[1, 1, WIDTH]);
        let class = self.node("Expand", &[&class, &shape], vec![]);
        let tokens = self.node("Concat", &[&class, &patches], vec![int("axis", 1)]);
        let positions = self.weight(&[1, PATCHES + 1, WIDTH]);
        let tokens = self.node("Add", &[&tokens, &positions], vec![]);
        let mut tokens = self.normalise(&tokens);
        for _ in 0..LAYERS {
            tokens = self.layer(&tokens);
        }

        let index = self.scalar_index();
        let class = self.node("Gather", &[&tokens, &index], vec![int("axis", 1)]);
        let class = self.normalise(&class);
        let projection = self.weight(&[WIDTH, DIMENSION]);
        let embedding = self.node("MatMul", &[&class, &projection], vec![]);
        self.graph.output = vec![value(&embedding, &[None, Some(DIMENSION)])];
        self.graph
    }

    fn layer(&mut self, tokens: &str) -> String {
        let seen = self.normalise(tokens);
        let query = self.linear(&seen, WIDTH, WIDTH);
        let scale = self.number((WIDTH as f32 / HEADS as f32).sqrt().recip());
        let query = self.node("Mul", &[&query, &scale], vec![]);
        let [query, key, value] = [(Some(query), [0, 2, 1, 3]), (None, [0, 2, 3, 1]), (None, [0, 2, 1, 3])].map(|(made, order)| {
            let made = made.unwrap_or_else(|| self.linear(&seen, WIDTH, WIDTH));
            let heads = self.reshape(&made, &[0, PATCHES + 1, HEADS, WIDTH / HEADS]);
            self.transpose(&heads, &order)
        });
        let scores = self.node("MatMul", &[&query, &key], vec![]);
        let weights = self.node("Softmax", &[&scores], vec![int("axis", -1)]);
        let mixed = self.node("MatMul", &[&weights, &value], vec![]);
        let mixed = self.transpose(&mixed, &[0, 2, 1, 3]);
        let mixed = self.reshape(&mixed, &[0, PATCHES + 1, WIDTH]);
        let mixed = self.linear(&mixed, WIDTH, WIDTH);
        let tokens = self.node("Add", &[tokens, &mixed], vec![]);

        let seen = self.normalise(&tokens);
        let inner = self.linear(&seen, WIDTH, 4 * WIDTH);
        // CLIP's quick approximation of a GELU.
        let slope = self.number(1.702);
        let gate = self.node("Mul", &[&inner, &slope], vec![]);
        let gate = self.node("Sigmoid", &[&gate], vec![]);
        let inner = self.node("Mul", &[&inner, &gate], vec![]);
        let outer = self.linear(&inner, 4 * WIDTH, WIDTH);
        self.node("Add", &[&tokens, &outer], vec![])
    }

    fn linear(&mut self, from: &str, inputs: i64, outputs: i64) -> String {
        let (weights, bias) = (self.weight(&[inputs, outputs]), self.weight(&[outputs]));
        let product = self.node("MatMul", &[from, &weights], vec![]);
        self.node("Add", &[&product, &bias], vec![])
    }

    fn normalise(&mut self, from: &str) -> String {
        let (scale, bias) = (self.weight(&[WIDTH]), self.weight(&[WIDTH]));
        let epsilon = AttributeProto { name: text("epsilon"), f: Some(1e-5), r#type: Some(AttributeType::FLOAT), ..AttributeProto::default() };
        self.node("LayerNormalization", &[from, &scale, &bias], vec![int("axis", -1), epsilon])
    }

    fn reshape(&mut self, from: &str, shape: &[i64]) -> String {
        let shape = self.whole(shape);
        self.node("Reshape", &[from, &shape], vec![])
    }

    fn transpose(&mut self, from: &str, order: &[i64]) -> String {
        self.node("Transpose", &[from], vec![ints("perm", order)])
    }

    /// Adds a node of one output, and gives the name of that.
    fn node(&mut self, operator: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let output = format!("value_{}", self.graph.node.len());
        let input = inputs.iter().map(|&name| name.to_owned()).collect();
        self.graph.node.push(NodeProto { op_type: text(operator), input, output: vec![output.clone()], attribute, ..NodeProto::default() });
        output
    }

    /// Random numbers, about as large as those of a trained model.
    fn weight(&mut self, shape: &[i64]) -> String {
        let inputs = if shape.len() > 1 { shape.iter().product::<i64>() / shape[shape.len() - 1] } else { 100 };
        let scale = (inputs as f32).sqrt().recip();
        let count = shape.iter().product::<i64>();
        let bytes = (0..count).flat_map(|_| (self.random.number() * scale).to_le_bytes()).collect();
        self.constant(shape, DataType::FLOAT, bytes)
    }

    fn number(&mut self, number: f32) -> String {
        self.constant(&[], DataType::FLOAT, number.to_le_bytes().to_vec())
    }

    fn whole(&mut self, numbers: &[i64]) -> String {
        self.constant(&[numbers.len() as i64], DataType::INT64, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }

    /// 0, without a dimension: what is gathered loses its axis.
    fn scalar_index(&mut self) -> String {
        self.constant(&[], DataType::INT64, 0_i64.to_le_bytes().to_vec())
    }

    fn constant(&mut self, dims: &[i64], data_type: DataType, bytes: Vec<u8>) -> String {
        let name = format!("constant_{}", self.graph.initializer.len());
        let raw_data = Some(RefCell::new(bytes));
        self.graph.initializer.push(TensorProto {
            name: text(&name),
            dims: dims.to_vec(),
            data_type: Some(data_type),
            raw_data,
            ..TensorProto::default()
        });
        name
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: text(name), i: Some(value), r#type: Some(AttributeType::INT), ..AttributeProto::default() }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: text(name), ints: values.to_vec(), r#type: Some(AttributeType::INTS), ..AttributeProto::default() }
}

/// An end of the graph; `None` is the batch.
fn value(name: &str, sides: &[Option<i64>]) -> ValueInfoProto {
    let dimension = |side: &Option<i64>| Dimension { dim_value: *side, dim_param: if side.is_none() { text("batch") } else { None } };
    let shape = TensorShapeProto { dim: sides.iter().map(dimension).collect() };
    let tensor_type = TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(shape) };
    ValueInfoProto { name: text(name), r#type: Some(TypeProto { tensor_type: Some(tensor_type), ..TypeProto::default() }) }
}
