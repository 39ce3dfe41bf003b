//! A dataset that FiftyOne exported: ids kept, runs along, and back again.

use std::path::{Path, PathBuf};

use brain::core::{ErrorKind, FieldValue, RunFilter, View};
use brain::dataset::Fields;
use brain::dataset::formats::{Format, Media};

use crate::home::{Home, block_on, error, ids, import, scenes};

/// The export of 24 of the scenes, put together from its records and the photos that the project ships.
fn export(home: &Home) -> PathBuf {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/brain-dataset/fixtures/fiftyone-export");
    let folder = home.folder.path().join("boards");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    for name in ["metadata.json", "samples.json"] {
        std::fs::copy(records.join(name), folder.join(name)).unwrap();
    }
    for number in 0..24 {
        let name = format!("scene-{number:03}.jpg");
        std::fs::copy(scenes().join(&name), folder.join("data").join(&name)).unwrap();
    }
    folder
}

#[test]
fn an_export_keeps_its_ids_and_brings_its_runs() {
    let home = Home::new();
    let brain = home.brain();
    import(&brain, "boards", &export(&home), Format::Fiftyone);
    let boards = brain.datasets().get("boards").unwrap();
    let all = ids(&brain, "boards", &View::new());
    assert_eq!(all[0].to_string(), "6b01656cdf05e9355da64f3c");
    let first = boards.get_samples(&all[..1], Fields::All).unwrap().remove(0);
    let vector = first.fields.iter().find_map(|(name, value)| match value {
        FieldValue::Vector(vector) if name == "vec" => Some(vector.len()),
        _ => None,
    });
    assert_eq!(vector, Some(4));

    // Its servers are not in this build, or nobody has said where they are: each run is kept, and says so when it is opened.
    let runs = block_on(brain.list_brain_runs("boards", &RunFilter::default())).unwrap();
    let keys: Vec<_> = runs.iter().map(|run| run.key.as_str()).collect();
    for key in ["pg_cosine", "pg_half_l1", "pg_ivf", "pg_patches", "redis_flat", "redis_hnsw_ip", "redis_patches"] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    let closed = error(block_on(brain.load_brain_results("boards", "pg_cosine")));
    assert_eq!((closed.kind(), closed.message()), (ErrorKind::Config, "pgvector has no connection_string"));
    // Where nobody says which Redis, it is the one of this machine; no test can know whether there is one.
    let closed = runs.iter().find(|run| run.key == "redis_flat").unwrap().error.clone().unwrap_or_default();
    assert!(closed.starts_with("not attached yet: "), "{closed}");
    let filter = RunFilter { config: vec![("metric".into(), "dotproduct".into())], ..RunFilter::default() };
    assert_eq!(block_on(brain.list_brain_runs("boards", &filter)).unwrap()[0].key, "redis_hnsw_ip");

    // A similarity of its own, from the vectors that came with it.
    let field = brain::Embeddings::Field { name: "vec".to_owned(), model: None };
    let computed = block_on(brain.compute_similarity("boards", "own").embeddings(field).run()).unwrap();
    assert_eq!(computed.report.added as usize, all.len());
}

/// A dump without its own schema, and with rows as statements: `COPY` has its rows beside the statements, where only psql finds them.
fn statements(dump: &str) -> String {
    let mut sql = String::new();
    let mut copied: Option<&str> = None;
    for line in dump.lines() {
        match copied {
            Some(_) if line == "\\." => copied = None,
            Some(table) => {
                let values: Vec<String> = line.split('\t').map(|value| format!("'{value}'")).collect();
                sql.push_str(&format!("INSERT INTO {table} VALUES ({});\n", values.join(", ")));
            }
            None => match line.strip_prefix("COPY public.").and_then(|copy| copy.split_once(" (id")) {
                Some((table, _)) => copied = Some(table),
                None => sql.push_str(&format!("{}\n", line.replace("public.", ""))),
            },
        }
    }
    sql
}

#[test]
fn an_export_is_attached_to_the_tables_it_names() {
    let home = Home::on_pgvector();
    let schema = home.schema.as_ref().unwrap();
    let tables = include_str!("../../crates/brain-pgvector/tests/pgvector/fixtures/fiftyone.sql");
    schema.run(&statements(tables));
    let brain = home.brain();
    let folder = export(&home);
    let imported = block_on(brain.import_dataset("boards", &folder, Some(Format::Fiftyone), Default::default())).unwrap();
    let attached: Vec<_> = imported.runs.iter().filter(|run| run.attached).map(|run| run.key.as_str()).collect();
    assert_eq!(attached, ["pg_cosine", "pg_half_l1", "pg_ivf", "pg_patches"]);
    let all = ids(&brain, "boards", &View::new());
    for key in &attached[..3] {
        let similarity = block_on(brain.load_brain_results("boards", key)).unwrap();
        let near = block_on(similarity.sort_by_similarity(brain::Query::Id(all[5].clone())).run()).unwrap();
        assert_eq!((near.results[0].len(), &near.results[0][0].id, near.report.exact), (24, &all[5], true), "{key}");
        let far = block_on(similarity.sort_by_similarity(brain::Query::Id(all[5].clone())).reverse(true).k(1).run()).unwrap();
        assert_eq!(far.results[0][0].distance, near.results[0][23].distance, "{key}");
    }
    let similarity = block_on(brain.load_brain_results("boards", "pg_patches")).unwrap();
    let samples = block_on(similarity.sort_by_similarity(brain::Query::Samples(vec![all[0].clone()])).within(View::new()).run()).unwrap();
    assert_eq!((samples.results[0].len(), samples.report.missing), (24, 0));
    // What FiftyOne made stays, unless that is said.
    let kept = error(block_on(brain.cleanup_index("boards", "pg_ivf", brain::Attached::Keep)));
    assert_eq!(kept.kind(), ErrorKind::Conflict);
    block_on(brain.delete_dataset("boards", brain::WithIndex::Drop)).unwrap();
    schema.run("SELECT FROM fo_cosine, fo_half_l1, fo_ivf, \"fiftyone-boards\" LIMIT 1");
}

/// Rebuilds FiftyOne's indexes under names of the test's own, and the export that leads to them.
fn with_redis(home: &Home, folder: &Path) {
    let own = |name: &str| format!("{}{name}", home.keyspace.as_ref().unwrap().name);
    let mut client = home.keyspace.as_ref().unwrap().client();
    for line in include_str!("../../crates/brain-redis/tests/redis/fixtures/fiftyone.jsonl").lines() {
        let mut words: Vec<String> = serde_json::from_str(line).unwrap();
        let names: &[usize] = if words[0] == "FT.CREATE" { &[1, 6] } else { &[1] };
        names.iter().for_each(|&at| words[at] = own(&words[at]));
        client.run(&words);
    }
    let file = folder.join("metadata.json");
    let mut metadata: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for run in metadata["brain_methods"].as_object_mut().unwrap().values_mut().filter(|run| run["config"]["method"] == "redis") {
        let name = own(run["config"]["index_name"].as_str().unwrap());
        run["config"]["index_name"] = name.into();
    }
    std::fs::write(&file, metadata.to_string()).unwrap();
}

#[test]
fn an_export_is_attached_to_the_indexes_it_names() {
    let home = Home::on_redis();
    let folder = export(&home);
    with_redis(&home, &folder);
    let brain = home.brain();
    let imported = block_on(brain.import_dataset("boards", &folder, Some(Format::Fiftyone), Default::default())).unwrap();
    let attached: Vec<_> = imported.runs.iter().filter(|run| run.attached).map(|run| run.key.as_str()).collect();
    assert_eq!(attached, ["redis_flat", "redis_hnsw_ip", "redis_patches"], "{:?}", imported.runs);
    let all = ids(&brain, "boards", &View::new());
    for key in &attached[..2] {
        let similarity = block_on(brain.load_brain_results("boards", key)).unwrap();
        assert_eq!(similarity.record().config_text("metric"), Some(if *key == "redis_flat" { "cosine" } else { "dotproduct" }));
        let near = block_on(similarity.sort_by_similarity(brain::Query::Id(all[5].clone())).run()).unwrap();
        assert_eq!((near.results[0].len(), near.report.missing, near.report.exact), (24, 0, true), "{key}");
        let far = block_on(similarity.sort_by_similarity(brain::Query::Id(all[5].clone())).reverse(true).k(1).run()).unwrap();
        assert!(brain_testkit::compare::close(far.results[0][0].distance, near.results[0][23].distance), "{key}");
    }
    let similarity = block_on(brain.load_brain_results("boards", "redis_patches")).unwrap();
    let samples = block_on(similarity.sort_by_similarity(brain::Query::Samples(vec![all[0].clone()])).within(View::new()).run()).unwrap();
    assert_eq!((samples.results[0].len(), samples.report.missing), (24, 0));
    // What FiftyOne made stays, unless that is said.
    let kept = error(block_on(brain.cleanup_index("boards", "redis_flat", brain::Attached::Keep)));
    assert_eq!(kept.kind(), ErrorKind::Conflict);
    let before = home.keyspace.as_ref().unwrap().keys().len();
    block_on(brain.delete_dataset("boards", brain::WithIndex::Drop)).unwrap();
    assert_eq!((before, home.keyspace.as_ref().unwrap().keys().len()), (211, 211));
}

#[test]
fn out_and_in_again_is_the_same_dataset() {
    let home = Home::new();
    let brain = home.brain();
    import(&brain, "boards", &export(&home), Format::Fiftyone);
    let whole = View::new();
    let samples = |name: &str| -> Vec<_> {
        let dataset = brain.datasets().get(name).unwrap();
        dataset.samples(&whole, Fields::All).unwrap().map(|sample| sample.unwrap()).collect()
    };
    let before = samples("boards");

    let folder = home.folder.path().join("export");
    let written = block_on(brain.export_dataset("boards", &folder, Format::Fiftyone, &whole, Media::Copy)).unwrap();
    assert_eq!(written.samples as usize, before.len());
    import(&brain, "again", &folder, Format::Fiftyone);
    for (old, new) in before.iter().zip(samples("again")) {
        assert_eq!((&old.id, &old.tags, &old.fields), (&new.id, &new.tags, &new.fields));
        assert_eq!(std::fs::read(&old.filepath).unwrap(), std::fs::read(&new.filepath).unwrap());
    }
    let refused = error(block_on(brain.export_dataset("boards", &folder, Format::Fiftyone, &whole, Media::Copy)));
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);

    let lines = home.folder.path().join("boards.jsonl");
    block_on(brain.export_dataset("boards", &lines, Format::Jsonl, &whole, Media::default())).unwrap();
    import(&brain, "lines", &lines, Format::Jsonl);
    assert_eq!(samples("lines"), before);
}
