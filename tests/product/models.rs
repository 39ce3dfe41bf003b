//! Models: prompts, weights, instances, fields; with the joint model, whose parts come out of packages.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain::brain_models::{PullOptions, Zoo, read_image};
use brain::core::{Embedder, ErrorKind, Metric, Modalities, NoProgress, PreparedImage, Result, RgbImage, View};
use brain::dataset::Fields;
use brain::{Brain, Embeddings, Existing, Items, Query, Similarity, Weighted};
use serde_json::Value;

use crate::home::{Home, block_on, error, photos};
use crate::two_servers::assert_alike;

const JOINT: &str = "conse-efficientnet-lite0-minilm";

const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The folder of the joint model, fetched once for all runs of these tests.
fn joint_model() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models-home");
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join("lock")).unwrap();
    lock.lock().unwrap();
    let zoo = Zoo::of_home(&cache);
    if let Err(error) = zoo.pull(JOINT, &PullOptions::default(), &NoProgress) {
        panic!("{error}\n{}", error.hint().unwrap_or_default());
    }
    cache.join("models").join(JOINT)
}

impl Home {
    /// As [`with_photos`](Self::with_photos), with the joint model's files in their place.
    fn with_joint_model(&self) -> Brain {
        let models = self.path().join("models");
        fs::create_dir_all(&models).unwrap();
        std::os::unix::fs::symlink(joint_model(), models.join(JOINT)).unwrap();
        self.with_photos()
    }
}

fn files(sorted: &brain::Sorted) -> Vec<String> {
    let name = |row: &brain::SortedRow| row.filepath.as_ref().and_then(|path| Path::new(path).file_name()?.to_str()).unwrap_or_default().to_owned();
    sorted.results[0].iter().map(name).collect()
}

/// The share of the class among the first ten.
fn share(similarity: &Similarity, query: Query, class: &str) -> f64 {
    let sorted = block_on(similarity.sort_by_similarity(query).k(10).run()).unwrap();
    files(&sorted).iter().filter(|file| file.starts_with(&format!("{class}-"))).count() as f64 / 10.0
}

#[test]
fn a_sentence_finds_its_photos() {
    let home = Home::new();
    let brain = home.with_joint_model();
    let computed = block_on(brain.compute_similarity("photos", "text_sim").model(JOINT).run()).unwrap();
    assert_eq!((computed.report.added, computed.failures.len()), (200, 0));
    assert_eq!(computed.record.config["supports_prompts"], true);
    let fingerprint = computed.record.config_text("model_fingerprint").unwrap();
    assert!(fingerprint.starts_with("conse-efficientnet-lite0-minilm:") && fingerprint.ends_with(":int8"), "{fingerprint}");

    let similarity = block_on(brain.load_brain_results("photos", "text_sim")).unwrap();
    let prompt = |class: &str| format!("a photo of a {class}");
    let frogs = share(&similarity, Query::Text(vec![prompt("frog")]), "frog");
    assert!(frogs > 0.5, "{frogs}");

    // Several prompts are averaged, as several of anything are.
    let both = block_on(similarity.sort_by_similarity(Query::Text(vec![prompt("ship"), prompt("airplane")])).k(10).run()).unwrap();
    assert!(files(&both).iter().any(|file| file.starts_with("ship")) && files(&both).iter().any(|file| file.starts_with("airplane")));
    let empty = error(block_on(similarity.sort_by_similarity(Query::Text(vec![" ".to_owned()])).run()));
    assert_eq!(empty.kind(), ErrorKind::InvalidInput);

    weights(&similarity, &brain);
    // A session that has the files but not the run's model in memory searches all the same.
    let later = block_on(home.brain().load_brain_results("photos", "text_sim")).unwrap();
    assert_eq!(share(&later, Query::Text(vec![prompt("frog")]), "frog"), frogs);
}

/// Sentences, pictures, items and vectors as one query.
fn weights(similarity: &Similarity, brain: &Brain) {
    let order = |query: Query| files(&block_on(similarity.sort_by_similarity(query).run()).unwrap());
    let samples: Vec<_> =
        brain.datasets().get("photos").unwrap().samples(&View::new(), Fields::Only(&[])).unwrap().map(|sample| sample.unwrap()).collect();
    let horse = samples.iter().find(|sample| sample.filepath.ends_with("horse-004.jpg")).unwrap();
    let id = horse.id.clone().unwrap();

    // Whatever is asked in parts is asked by the vector that the parts make.
    let query = Weighted::new().text("a photo of a dog", 1.0).image(&horse.filepath, 0.5).id(id.clone(), 0.25).not_text("indoor", 0.5);
    let embedder = brain.zoo().load(JOINT).unwrap();
    let texts = embedder.embed_text(&["a photo of a dog".to_owned(), "indoor".to_owned()]).unwrap();
    let picture = embedder.prepare(&read_image(Path::new(&horse.filepath)).unwrap()).unwrap();
    let stored = block_on(similarity.get_embeddings(&Items::Ids(vec![id]))).unwrap().rows.vector(0).to_vec();
    let vectors = [texts[..384].to_vec(), embedder.embed_images(&[picture]).unwrap(), stored, texts[384..].to_vec()];
    let combined = query.combine(&vectors, Metric::Cosine).unwrap();
    assert_eq!(order(query.into()), order(Query::Vector(combined)));

    // One part of any weight is that part; a negative weight turns the order round.
    let dog = || "a photo of a dog".to_owned();
    let plain = order(Query::Text(vec![dog()]));
    assert_eq!(order(Weighted::new().text(dog(), 0.3).into()), plain);
    let away = order(Weighted::new().not_text(dog(), 1.0).into());
    assert_eq!(away.iter().rev().take(10).collect::<Vec<_>>(), plain.iter().take(10).collect::<Vec<_>>());
    // What is led away from is found less.
    let share_of = |query: Weighted, class: &str| share(similarity, query.into(), class);
    let animals = Weighted::new().text("a photo of an animal on a farm", 1.0);
    assert!(share_of(animals.clone().not_text("a photo of a horse", 1.0), "horse") < share_of(animals, "horse"));

    let aggregated = similarity.sort_by_similarity(Weighted::new().text(dog(), 1.0).into()).aggregation(brain::Aggregation::PostMin);
    assert!(error(block_on(aggregated.run())).message().contains("nothing to aggregate"));
}

#[test]
fn a_prompt_to_a_model_of_photos_names_those_that_read() {
    let home = Home::new();
    let brain = home.with_photos();
    block_on(brain.compute_similarity("photos", "img_sim").view(View::new().take(5, 1)).run()).unwrap();
    let similarity = block_on(brain.load_brain_results("photos", "img_sim")).unwrap();
    for query in [Query::Text(vec!["a dog".to_owned()]), Weighted::new().not_text("a dog", 1.0).into()] {
        let refused = error(block_on(similarity.sort_by_similarity(query).run()));
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        let hint = refused.hint().unwrap();
        assert!(hint.contains(JOINT) && hint.contains("clip-vit-base-patch32") && !hint.contains("dinov2"), "{hint}");
    }
    // A model that is described and not here says how to get it, before any work.
    let absent = error(block_on(brain.compute_similarity("photos", "clip").model("clip-vit-base32-torch").run()));
    assert_eq!((absent.kind(), absent.hint()), (ErrorKind::NotFound, Some("fetch it: brain models pull clip-vit-base-patch32")));
    assert!(!block_on(brain.has_brain_run("photos", "clip")).unwrap());
}

/// The mean colour of a picture, and of a prompt how often it names one.
struct Colours {
    fingerprint: &'static str,
}

impl Embedder for Colours {
    fn name(&self) -> &str {
        "colours"
    }

    fn dimension(&self) -> usize {
        3
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: true, text: true }
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.to_owned()
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        let count = (image.width * image.height) as f32;
        let mean = |channel: usize| image.pixels.iter().skip(channel).step_by(3).map(|value| f32::from(*value)).sum::<f32>() / count;
        Ok(PreparedImage(vec![mean(0), mean(1), mean(2)]))
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        Ok(batch.iter().flat_map(|image| image.0.clone()).collect())
    }

    fn embed_text(&self, prompts: &[String]) -> Result<Vec<f32>> {
        let names = |prompt: &String| ["red", "green", "blue"].map(|colour| prompt.matches(colour).count() as f32);
        Ok(prompts.iter().flat_map(names).collect())
    }
}

#[test]
fn a_model_instance_is_remembered_and_can_be_handed_in_again() {
    let home = Home::new();
    let brain = home.with_photos();
    let colours = Arc::new(Colours { fingerprint: "colours:1" });
    let few = View::new().take(40, 51);
    let instance = Embeddings::Embedder(colours.clone());
    block_on(brain.compute_similarity("photos", "colours").embeddings(instance.clone()).view(few).run()).unwrap();

    let blue = || Query::Text(vec!["blue".to_owned()]);
    let similarity = block_on(brain.load_brain_results("photos", "colours")).unwrap();
    assert_eq!(similarity.record().config["model_instance"], true);
    let refused = error(block_on(similarity.sort_by_similarity(blue()).run()));
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.message().contains("an instance of a model (colours)") && refused.hint().unwrap().contains("with_model"), "{refused}");
    let id = block_on(similarity.get_embeddings(&Items::All)).unwrap().rows.items()[0].id.clone();
    assert_eq!(block_on(similarity.sort_by_similarity(Query::Id(id)).k(3).run()).unwrap().results[0].len(), 3);

    let other = Arc::new(Colours { fingerprint: "colours:2" });
    let conflict = error(block_on(brain.load_brain_results("photos", "colours")).unwrap().with_model(other.clone()));
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    let similarity = similarity.with_model(colours).unwrap();
    let found = block_on(similarity.sort_by_similarity(blue()).k(5).run()).unwrap();
    assert_eq!(found.results[0].len(), 5);

    // More photos: by the instance, never by another model, and not without it.
    let add = |embeddings: Option<Embeddings>| {
        let add = block_on(brain.add_to_index("photos", "colours")).unwrap().only_new();
        block_on(
            match embeddings {
                Some(embeddings) => add.embeddings(embeddings),
                None => add,
            }
            .run(),
        )
    };
    assert!(error(add(None)).message().contains("an instance of a model (colours)"));
    assert_eq!(error(add(Some(Embeddings::Embedder(other)))).kind(), ErrorKind::Conflict);
    assert_eq!(error(add(Some(Embeddings::Model("efficientnet-lite0".to_owned())))).kind(), ErrorKind::Conflict);
    assert_eq!(add(Some(instance)).unwrap().total, 200);
}

#[test]
fn embeddings_go_into_a_field_and_two_models_never_share_one() {
    let home = Home::new();
    let brain = home.with_photos();
    let few = View::new().take(6, 51);
    let compute = || brain.compute_embeddings("photos", "effnet");
    let first = block_on(compute().view(few.clone()).run()).unwrap();
    assert_eq!((first.model.as_str(), first.dimension, first.embedded, first.skipped), ("efficientnet-lite0", 1280, 6, 0));
    let more = View::new().take(16, 51);
    let second = block_on(compute().view(more.clone()).existing(Existing::Skip).run()).unwrap();
    assert_eq!((second.embedded, second.skipped), (10, 6));
    let again = block_on(compute().view(few.clone()).run()).unwrap();
    assert_eq!((again.embedded, again.skipped), (6, 0));

    // The field makes an index; what it lacks is filled by the model, which is then the run's.
    let field = |model: Option<&str>| Embeddings::Field { name: "effnet".to_owned(), model: model.map(str::to_owned) };
    let twenty = View::new().take(20, 51);
    let computed =
        block_on(brain.compute_similarity("photos", "of_field").embeddings(field(Some("efficientnet-lite0"))).view(twenty.clone()).run()).unwrap();
    assert_eq!((computed.report.added, computed.without_vector), (20, 0));
    assert_eq!(computed.record.config_text("model_fingerprint"), Some(first.fingerprint.as_str()));
    let third = block_on(compute().view(twenty).existing(Existing::Skip).run()).unwrap();
    assert_eq!((third.embedded, third.skipped), (0, 20));
    let plain = block_on(brain.compute_similarity("photos", "plain").view(few.clone()).run()).unwrap();
    let vectors = |key: &str| block_on(block_on(brain.load_brain_results("photos", key)).unwrap().get_embeddings(&Items::View(few.clone()))).unwrap();
    assert_eq!(plain.report.added, 6);
    assert_eq!(vectors("plain").rows, vectors("of_field").rows);

    // Another model, of another length or of the same, is refused before it writes.
    let colours = Arc::new(Colours { fingerprint: "colours:1" });
    let refused = error(block_on(compute().embedder(colours.clone()).view(more.clone()).existing(Existing::Skip).run()));
    assert_eq!(refused.kind(), ErrorKind::DimensionMismatch);
    block_on(brain.compute_embeddings("photos", "mean").embedder(colours).view(few.clone()).run()).unwrap();
    let refused = error(block_on(brain.compute_embeddings("photos", "mean").embedder(Arc::new(Reversed)).view(more).existing(Existing::Skip).run()));
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.message().contains("was not filled by the model reversed"), "{refused}");
    let refused = error(block_on(brain.compute_similarity("photos", "mixed").embeddings(field(Some(JOINT))).view(few).run()));
    assert!(matches!(refused.kind(), ErrorKind::NotFound | ErrorKind::DimensionMismatch), "{refused}");
}

/// Another model with vectors as long as those of [`Colours`].
struct Reversed;

impl Embedder for Reversed {
    fn name(&self) -> &str {
        "reversed"
    }

    fn dimension(&self) -> usize {
        3
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: true, text: false }
    }

    fn fingerprint(&self) -> String {
        "reversed:1".to_owned()
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        Colours { fingerprint: "" }.prepare(image).map(|PreparedImage(mean)| PreparedImage(mean.iter().map(|value| 255.0 - 2.0 * value).collect()))
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        Ok(batch.iter().flat_map(|image| image.0.clone()).collect())
    }

    fn embed_text(&self, _prompts: &[String]) -> Result<Vec<f32>> {
        Err(brain::core::no_text("reversed"))
    }
}

#[test]
fn the_command_line_finds_the_same_photos_by_sentences_on_every_backend() {
    let home = Home::on_both_servers();
    home.with_joint_model();
    let said = home.says(&["compute-embeddings", "photos", "--model", JOINT, "--embeddings-field", "conse"]);
    assert!(said.starts_with("embedded 200 of photos into conse"), "{said}");
    let backends = ["local", "pgvector", "redis"];
    for key in backends {
        let compute =
            ["compute-similarity", "photos", "--brain-key", key, "--backend", key, "--model", JOINT, "--embeddings-field", "conse", "--json"];
        let computed: Value = serde_json::from_str(&home.says(&compute)).unwrap();
        assert_eq!((&computed["run"]["method"], &computed["report"]["added"]), (&key.into(), &200.into()), "{computed}");
    }
    let mut sum = 0.0;
    for class in CLASSES {
        let prompt = format!("a photo of a {class}");
        let [local, others @ ..] =
            backends.map(|key| Found::all(&home.json(&["sort-by-similarity", "photos", "--brain-key", key, "--text", &prompt, "-k", "10"])));
        let share = local.iter().filter(|found| found.file.starts_with(&format!("{class}-"))).count() as f64 / 10.0;
        println!("{class:<11} {share:.1}");
        assert!(share > 0.0, "{prompt}: {local:?}");
        sum += share;
        for (key, other) in backends[1..].iter().zip(others) {
            assert_alike(&ranked(&local), &ranked(&other), &format!("{prompt} on {key}"));
        }
    }
    println!("mean        {:.2}", sum / 10.0);
    assert!(sum / 10.0 >= 0.66, "{sum}");
}

/// A row of an answer, as the program prints it.
#[derive(Debug)]
struct Found {
    id: String,
    file: String,
    distance: f32,
}

impl Found {
    fn all(sorted: &Value) -> Vec<Self> {
        let found = |row: &Value| {
            let file = Path::new(row["filepath"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
            Self { id: row["id"].as_str().unwrap().to_owned(), file, distance: row["distance"].as_f64().unwrap() as f32 }
        };
        sorted["results"].as_array().unwrap().iter().map(found).collect()
    }
}

fn ranked(found: &[Found]) -> Vec<(&str, f32)> {
    found.iter().map(|found| (found.id.as_str(), found.distance)).collect()
}

#[test]
fn the_command_line_searches_by_sentences_and_weights() {
    let home = Home::new();
    home.with_joint_model();
    let listed = home.json(&["models", "list"]);
    let state = |name: &str| listed.as_array().unwrap().iter().find(|model| model["name"] == name).unwrap()["state"].clone();
    assert_eq!((state("efficientnet-lite0"), state(JOINT), state("clip-vit-large-patch14")), ("built in".into(), "here".into(), "to pull".into()));
    assert_eq!(home.json(&["models", "pull", JOINT])["fetched"], serde_json::json!([]));
    let verified = home.json(&["models", "verify", JOINT]);
    assert!(verified["files"].as_array().unwrap().iter().all(|file| file["checked"] == "manifest"), "{verified}");
    assert!(home.says(&["models", "info", "clip-vit-base32-torch"]).contains("missing    text.onnx, from https://"));

    let said = home.says(&["compute-embeddings", "photos", "--model", JOINT, "--embeddings-field", "conse", "--take", "60", "--seed", "51"]);
    assert!(said.starts_with("embedded 60 of photos into conse"), "{said}");
    let few = ["--take", "60", "--seed", "51"];
    let compute = ["compute-similarity", "photos", "--brain-key", "text_sim", "--model", JOINT, "--embeddings-field", "conse"];
    home.says(&[&compute[..], &few].concat());
    let image = photos().join("ship/ship-001.jpg");
    let weighted = format!("{}:0.5", image.display());
    let sort = ["sort-by-similarity", "photos", "--brain-key", "text_sim", "-k", "5"];
    let sorted = home.json(&[&sort[..], &["--text", "a photo of a ship:1.0", "--image", &weighted, "--not-text", "a photo of a frog:0.5"]].concat());
    assert_eq!(sorted["results"].as_array().unwrap().len(), 5);
    let parts = &sorted["query"]["weighted"];
    assert_eq!((&parts[0]["text"], &parts[0]["weight"]), (&"a photo of a ship".into(), &1.0.into()));
    assert_eq!((&parts[1]["text"], &parts[1]["weight"]), (&"a photo of a frog".into(), &(-0.5).into()));
    assert!(sorted["results"][0]["filepath"].as_str().unwrap().contains("ship"), "{sorted}");
    let (code, refusal) = home.refuses(&[&sort[..], &["--text", "a ship:0"]].concat());
    assert!(code == 1 && refusal.contains("weight 0"), "{refusal}");

    // Either runtime finds the same; which one is chosen is shown, and which one ran.
    assert_eq!(home.json(&["models", "info", JOINT])["runtime"], "rten");
    assert_eq!(home.json(&["models", "info", JOINT, "--runtime", "onnxruntime:cuda-or-cpu"])["runtime"], "onnxruntime:cuda-or-cpu");
    let verified = home.json(&["models", "verify", JOINT, "--runtime", "onnxruntime"]);
    assert!(verified["runtime"].as_str().unwrap().starts_with("ONNX Runtime 1."), "{verified}");
    let frog = [&sort[..], &["--text", "a photo of a frog"]].concat();
    let [ours, theirs] = ["rten", "onnxruntime"].map(|runtime| Found::all(&home.json(&[&frog[..], &["--runtime", runtime]].concat())));
    assert_alike(&ranked(&ours), &ranked(&theirs), "a frog by both runtimes");

    // The home only pointed to the files: they stay, and the model is to be pulled again.
    let removed = home.json(&["models", "remove", JOINT]);
    assert!(removed["left_at"].as_str().is_some_and(|folder| Path::new(folder).is_dir()), "{removed}");
    let (code, refusal) = home.refuses(&frog);
    assert!(code == 1 && refusal.contains(&format!("brain models pull {JOINT}")), "{refusal}");
}
