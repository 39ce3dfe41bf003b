use std::path::PathBuf;

use brain_core::ErrorKind;
use serde::Deserialize;

use super::*;

/// What PyTorch says of a model of random weights; see `fixtures/golden/make.py`.
#[derive(Deserialize)]
struct Golden {
    pictures: Vec<Seen>,
    prompts: Vec<Read>,
    #[serde(default)]
    length: usize,
    #[serde(default)]
    pad: i64,
}

#[derive(Deserialize)]
struct Seen {
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Read {
    ids: Vec<i64>,
    embedding: Vec<f32>,
}

fn golden(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden").join(model)
}

fn expected(model: &str) -> Golden {
    serde_json::from_slice(&std::fs::read(golden(model).join("golden.json")).unwrap()).unwrap()
}

fn pixels(model: &str) -> Vec<f32> {
    let bytes = std::fs::read(golden(model).join("pixels.f32")).unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// rten on one thread and on two, and ONNX Runtime likewise where it is built in.
fn runtimes() -> Vec<RuntimeOptions> {
    let kinds = [
        Runtime::Rten,
        #[cfg(feature = "onnxruntime")]
        Runtime::OnnxRuntime(OnnxRuntime::default()),
    ];
    let threads = [1, 2].map(|threads| Threads::Exactly(threads.try_into().unwrap()));
    kinds.iter().flat_map(|runtime| threads.map(|threads| RuntimeOptions { runtime: runtime.clone(), threads })).collect()
}

fn open(model: &str, tower: &str, options: &RuntimeOptions) -> Arc<dyn Graph> {
    let missing = "`cargo xtask test -p brain-models --features onnxruntime` fetches ONNX Runtime";
    load(model, Source::File(&golden(model).join(tower)), options).unwrap_or_else(|error| panic!("{error}: {:?}; {missing}", error.hint()))
}

fn whole(rows: &[Vec<i64>]) -> Tensor<'_> {
    Tensor { row_shape: vec![rows[0].len()], rows: Rows::I64(rows.iter().map(Vec::as_slice).collect()) }
}

fn assert_near(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let worst = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-4, "{what}: {worst}");
}

#[test]
fn pictures_are_embedded_as_pytorch_embeds_them() {
    let towers = [
        ("clip", "vision.onnx", "image_embeds", 32),
        ("siglip", "vision.onnx", "pooler_output", 32),
        ("dinov2", "fixed.onnx", "pooler_output", 28),
        ("dinov2", "vision.onnx", "pooler_output", 28),
    ];
    for (model, file, output, side) in towers {
        let (Golden { pictures, .. }, pixels) = (expected(model), pixels(model));
        let rows: Vec<_> = pixels.chunks_exact(3 * side * side).collect();
        assert_eq!(rows.len(), pictures.len());
        for options in runtimes() {
            if options.runtime == Runtime::Rten && (model, file) == ("dinov2", "vision.onnx") {
                let error = load(model, Source::File(&golden(model).join(file)), &options).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.message().contains("interpolates by cubics (its operator Resize)"), "{error}");
                assert!(error.hint().unwrap().contains("--runtime onnxruntime"), "{error:?}");
                continue;
            }
            let graph = open(model, file, &options);
            let run = |rows: Vec<&[f32]>| {
                let tensor = Tensor { row_shape: vec![3, side, side], rows: Rows::F32(rows) };
                graph.run(&[("pixel_values", tensor)], &[output]).unwrap().remove(0)
            };
            // All at once, and the last one alone.
            let all = run(rows.clone());
            assert_eq!(all.shape, [rows.len(), pictures[0].embedding.len()]);
            assert_near(&all.data, &pictures.iter().flat_map(|seen| seen.embedding.clone()).collect::<Vec<_>>(), &format!("{model} {options:?}"));
            assert_near(&run(rows[2..].to_vec()).data, &pictures[2].embedding, &format!("{model} alone {options:?}"));
            if options.runtime == Runtime::Rten {
                assert_eq!(run(rows[2..].to_vec()).data, all.data[2 * all.shape[1]..], "{model} {options:?}");
            }
            assert_eq!(run(Vec::new()).shape, [0]);
        }
    }
}

#[test]
fn prompts_are_embedded_as_pytorch_embeds_them() {
    for (model, output, masked) in [("clip", "text_embeds", true), ("siglip", "pooler_output", false)] {
        let Golden { prompts, length, pad, .. } = expected(model);
        assert_eq!(prompts.iter().map(|prompt| prompt.ids.len()).max(), Some(length), "one prompt is of full length");
        let fill = |read: &Read, value: Option<i64>, rest| {
            (0..length).map(|at| if at < read.ids.len() { value.unwrap_or(read.ids[at]) } else { rest }).collect::<Vec<_>>()
        };
        let ids: Vec<_> = prompts.iter().map(|prompt| fill(prompt, None, pad)).collect();
        let masks: Vec<_> = prompts.iter().map(|prompt| fill(prompt, Some(1), 0)).collect();
        let vectors: Vec<_> = prompts.iter().flat_map(|prompt| prompt.embedding.clone()).collect();
        for options in runtimes() {
            let graph = open(model, "text.onnx", &options);
            let run = |ids: &[Vec<i64>], masks: &[Vec<i64>]| {
                let inputs = [("input_ids", whole(ids)), ("attention_mask", whole(masks))];
                graph.run(if masked { &inputs } else { &inputs[..1] }, &[output]).unwrap().remove(0).data
            };
            assert_near(&run(&ids, &masks), &vectors, &format!("{model} {options:?}"));
            // CLIP looks at nothing behind the end: a prompt may also come as long as it is.
            if masked {
                let short = [prompts[0].ids.clone()];
                assert_near(&run(&short, &[vec![1; short[0].len()]]), &prompts[0].embedding, &format!("{model} short {options:?}"));
            }
        }
    }
}

#[test]
fn what_a_graph_has_is_told() {
    for options in runtimes() {
        let graph = open("clip", "text.onnx", &options);
        let ports: Vec<_> = graph.inputs().iter().chain(graph.outputs()).map(ToString::to_string).collect();
        assert_eq!(ports, ["input_ids whole [batch, length]", "attention_mask whole [batch, length]", "text_embeds f32 [batch, 24]"]);

        let (three, seven) = ([1, 2, 3], [0.0; 7]);
        let ids = || ("input_ids", Tensor { row_shape: vec![3], rows: Rows::I64(vec![&three]) });
        let mask = |rows| ("attention_mask", Tensor { row_shape: vec![3], rows: Rows::I64(rows) });
        let refused = |inputs: &[(&str, Tensor<'_>)], output| graph.run(inputs, &[output]).unwrap_err();
        let error = refused(&[ids(), mask(vec![&three])], "embedding");
        assert_eq!((error.kind(), error.hint()), (ErrorKind::NotFound, Some("its outputs are: text_embeds f32 [batch, 24]")));
        assert!(refused(&[ids()], "text_embeds").message().contains("attention_mask whole [batch, length] was given nothing"));
        assert!(refused(&[ids(), mask(vec![&three, &three])], "text_embeds").message().contains("1 and 2 rows"));
        assert!(refused(&[ids(), mask(vec![&three[..2]])], "text_embeds").message().contains("has 2 numbers instead of 3"));
        let floats = ("input_ids", Tensor { row_shape: vec![7], rows: Rows::F32(vec![&seven]) });
        assert!(refused(&[floats], "text_embeds").message().contains("given rows of f32 [7]"));
        let wide = ("input_ids", Tensor { row_shape: vec![3, 1], rows: Rows::I64(vec![&three]) });
        assert_eq!(refused(&[wide], "text_embeds").kind(), ErrorKind::InvalidInput);
        assert_eq!(refused(&[], "text_embeds").kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn files_that_are_no_graphs_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (none, broken) = (home.path().join("none.onnx"), home.path().join("broken.onnx"));
    let whole = std::fs::read(golden("clip").join("vision.onnx")).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    for options in runtimes() {
        let refused = |path: &Path| load("mine", Source::File(path), &options).err().unwrap();
        assert_eq!(refused(&none).kind(), ErrorKind::NotFound);
        let error = refused(&broken);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.message().contains("mine") && error.message().contains("broken.onnx"), "{error}");
    }
}

#[test]
#[cfg(not(feature = "onnxruntime"))]
fn a_runtime_that_is_not_built_in_is_refused() {
    let options = RuntimeOptions { runtime: Runtime::OnnxRuntime(OnnxRuntime::default()), ..RuntimeOptions::default() };
    let error = load("mine", Source::Static(b""), &options).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("rten"));
}

#[cfg(feature = "onnxruntime")]
mod onnxruntime {
    use super::*;

    #[test]
    fn the_models_of_the_zoo_are_the_same_by_both_runtimes() {
        let photo = crate::read_image(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/cat-000.jpg")).unwrap();
        let [ours, theirs] = [Runtime::Rten, Runtime::OnnxRuntime(OnnxRuntime::default())].map(|runtime| {
            let options = RuntimeOptions { runtime, ..RuntimeOptions::default() };
            let model = crate::zoo::load_with(crate::zoo::DEFAULT_MODEL, &options).unwrap();
            (model.embed_images(&[model.prepare(&photo).unwrap()]).unwrap(), model.runtime().unwrap().to_owned())
        });
        assert_near(&ours.0, &theirs.0, "efficientnet-lite0");
        assert!(ours.1.starts_with("rten on ") && theirs.1.starts_with("ONNX Runtime 1."), "{ours:?} {theirs:?}");
    }

    #[test]
    fn a_card_that_is_not_there_is_an_error_unless_the_cores_may_do() {
        let with = |on_missing| {
            let settings = OnnxRuntime { device: Device::Cuda { card: 99, on_missing }, ..OnnxRuntime::default() };
            let options = RuntimeOptions { runtime: Runtime::OnnxRuntime(settings), ..RuntimeOptions::default() };
            load("clip", Source::File(&golden("clip").join("vision.onnx")), &options)
        };
        let error = with(OnMissingDevice::Error).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("CUDA card 99") && error.hint().unwrap().contains("onnxruntime-gpu"), "{error}");
        assert!(with(OnMissingDevice::UseCpu).unwrap().runtime().contains("for want of CUDA"));
    }

    #[test]
    fn one_process_holds_one_library() {
        open("clip", "vision.onnx", &runtimes()[2]);
        let home = tempfile::tempdir().unwrap();
        let library = home.path().join("libonnxruntime.so");
        std::fs::write(&library, "").unwrap();
        let settings = OnnxRuntime { library: Some(library), ..OnnxRuntime::default() };
        let options = RuntimeOptions { runtime: Runtime::OnnxRuntime(settings), ..RuntimeOptions::default() };
        let error = load("clip", Source::File(&golden("clip").join("vision.onnx")), &options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}
