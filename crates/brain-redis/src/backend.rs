//! The backend: makes, opens, attaches to and drops indexes of one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use brain_core::config::ResolvedParameters;
use brain_core::{Capabilities, Error, ErrorKind, ExistingIndex, Health, IndexSpec, ItemKind, Metric, Result, SimilarityBackend, SimilarityIndex};

use crate::calibrate::WORTH_IT;
use crate::command::{Command, execute, send, send_all};
use crate::connect::{Pool, Settings};
use crate::declaration::DECLARATION;
use crate::index::{Parts, RedisIndex};
use crate::note::{self, About, Note};
use crate::options::{Algorithm, DIMENSION_MOST, Number, Options, Storage};
use crate::schema::{self, SAMPLE, SEPARATOR, Schema, VECTOR, metric_name};
use crate::{drop, error, keys};

const NAME: &str = DECLARATION.name;
/// What a user needs of the server's commands.
const RIGHTS: &str = "+@connection +info +multi +exec +eval +scan +exists +unlink +del +hset +hsetnx +hget +hgetall +hmget +hdel +hincrby \
     +ft._list +ft.create +ft.info +ft.search +ft.aggregate +ft.dropindex";
const RIGHTS_OF_DOCUMENTS: &str = " +json.set +json.mget +json.del";

/// The backend over one Redis server. Nothing is connected to before it is needed.
pub struct RedisBackend {
    pool: Result<Pool, Arc<Error>>,
    capabilities: Capabilities,
    /// How many changes this process has made, by any handle.
    changes: Arc<AtomicU64>,
    exact_below: u64,
}

impl RedisBackend {
    /// The backend that these parameters lead to. What is wrong with them is said by the first call.
    pub fn new(parameters: &ResolvedParameters) -> Self {
        let mut capabilities = Capabilities::exact([Metric::Cosine, Metric::DotProduct, Metric::Euclidean]);
        capabilities.approximate = true;
        // By the query negated, or compared here.
        capabilities.farthest = true;
        capabilities.attach = true;
        capabilities.server = true;
        capabilities.max_dimension = Some(DIMENSION_MOST);
        let pool = Settings::from_parameters(parameters).map(Pool::new).map_err(Arc::new);
        Self { pool, capabilities, changes: Arc::default(), exact_below: WORTH_IT }
    }

    /// Searches a graph from `rows` rows on; below, all are compared, which is as fast for a thousand rows, and exact.
    #[must_use]
    pub fn with_exact_below(mut self, rows: u64) -> Self {
        self.exact_below = rows;
        self
    }

    /// Lets the server search for so long, and no longer.
    #[must_use]
    pub fn with_query_timeout(mut self, timeout: Duration) -> Self {
        self.pool = self.pool.map(|pool| Pool::new(pool.settings().clone().with_query_timeout(timeout)));
        self
    }

    /// The connections.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the parameters lead nowhere.
    pub fn pool(&self) -> Result<&Pool> {
        self.pool.as_ref().map_err(|error| {
            let again = Error::new(error.kind(), error.message());
            if let Some(hint) = error.hint() { again.with_hint(hint) } else { again }
        })
    }

    fn index(&self, schema: Schema, note: Option<Note>, spec: IndexSpec, options: Options) -> Result<RedisIndex> {
        Ok(RedisIndex::new(Parts {
            pool: self.pool()?.clone(),
            spec,
            options,
            schema,
            note,
            capabilities: self.capabilities.clone(),
            changes: Arc::clone(&self.changes),
            exact_below: self.exact_below,
        }))
    }

    /// Everything that would keep an index from being made: what it is, the server, the user's rights.
    async fn preflight(&self, spec: &IndexSpec) -> Result<Options> {
        if metric_name(spec.metric).is_none() {
            return Err(Error::unsupported(format!("the backend {NAME} does not offer the metric {}", spec.metric))
                .with_hint("the backends local and pgvector do; redis offers cosine, dotproduct, euclidean"));
        }
        self.capabilities.check(NAME, spec.metric, spec.dimension)?;
        let options = Options::of(&spec.name, &spec.parameters)?;
        let pool = self.pool()?;
        let server = pool.server().await?;
        server.check_writable()?;
        if options.number == Number::Half {
            server.check_halves()?;
        }
        self.check_rights(&options).await?;
        Ok(options)
    }

    /// Runs what changes nothing of each command that will be needed, to be refused before any work.
    async fn check_rights(&self, options: &Options) -> Result<()> {
        let connection = self.pool()?.get().await?;
        let (prefix, note) = (keys::prefix(&options.name), keys::note(&options.name));
        let probe = format!("{prefix}probe|{:x}", std::process::id());
        let write = match options.storage {
            Storage::Hash => Command::new("HDEL").arg(&probe).arg(VECTOR),
            Storage::Json => Command::new("JSON.DEL").arg(&probe),
        };
        let name = || options.name.clone();
        let commands = vec![
            // Without a field it makes nothing, and says so once it may be run.
            Command::new("FT.CREATE").arg(name()).arg("SCHEMA").arg(VECTOR).arg("NOTHING"),
            Command::new("FT.INFO").arg(name()),
            Command::new("FT.SEARCH").arg(format!("{}|probe", options.name)).arg("*"),
            Command::new("HGETALL").arg(&note),
            Command::new("HDEL").arg(&note).arg("probe"),
            write,
            Command::new("EXISTS").arg(&probe),
            Command::new("UNLINK").arg(&probe),
            Command::new("MULTI"),
            Command::new("EXEC"),
            Command::new("SCAN").arg("0").arg("COUNT").arg("1"),
        ];
        let what = format!("make the index {}", options.name);
        let answers = send_all(&connection, commands).await.map_err(|failure| error::of(failure, &what))?;
        for failure in answers.into_iter().filter_map(Result::err) {
            if ["NOPERM", "OOM", "READONLY", "MISCONF"].iter().any(|code| failure.details().starts_with(code))
                || failure.details().to_ascii_lowercase().contains("unknown command")
            {
                let refused = error::of(failure, &what);
                if refused.kind() != ErrorKind::Auth {
                    return Err(refused);
                }
                let documents = if options.storage == Storage::Json { RIGHTS_OF_DOCUMENTS } else { "" };
                // The server takes an index's name for a key.
                let patterns = format!("~{} ~{} ~{note}", options.name, keys::pattern(&prefix));
                let hint = format!("let the user have the commands and the keys: ACL SETUSER … {RIGHTS}{documents} {patterns}");
                return Err(Error::new(ErrorKind::Auth, refused.message()).with_hint(hint).with_source(refused));
            }
        }
        Ok(())
    }

    /// What there is of an index.
    async fn found(&self, name: &str) -> Result<(Option<Schema>, Option<Note>)> {
        self.pool()?
            .retrying(|connection| async move {
                let note = note::find(&connection, name).await?;
                let schema = schema::find(&connection, name).await?.map(|info| Schema::of(name, &info)).transpose()?;
                Ok((schema, note))
            })
            .await
    }
}

impl std::fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBackend").field("pool", &self.pool).finish_non_exhaustive()
    }
}

#[async_trait]
impl SimilarityBackend for RedisBackend {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn check(&self, spec: &IndexSpec) -> Result<()> {
        self.preflight(spec).await.map(|_| ())
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let options = self.preflight(spec).await?;
        let pool = self.pool()?;
        let name = &options.name;
        let taken = || {
            Error::new(ErrorKind::AlreadyExists, format!("there is an index {name:?} already"))
                .with_hint("attach to it, or choose another index_name")
        };
        if let (Some(_), _) = self.found(name).await? {
            return Err(taken());
        }
        // What a cleanup left that was cut off would be taken for the new index's.
        drop::leftovers(pool, name).await?;
        check_room(pool, name).await?;
        let about = About { brain: 1, metric: spec.metric, items: spec.items };
        let commands = vec![create_index(spec, &options)?, Command::new("HSETNX").arg(keys::note(name)).arg(note::ABOUT).arg(note::text(&about)?)];
        let connection = pool.get().await?;
        let made = execute(&connection, commands).await;
        match made {
            Ok(_) => {}
            Err(failure) if error::is_taken_index(&failure) => return Err(taken()),
            Err(failure) => return Err(error::of(failure, &format!("make the index {name}"))),
        }
        let (schema, note) = self.found(name).await?;
        let schema = schema.ok_or_else(|| gone(name, note.is_some()))?;
        Ok(Box::new(self.index(schema, note, spec.clone(), options)?))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let options = Options::of(&spec.name, &spec.parameters)?;
        let (schema, note) = self.found(&options.name).await?;
        let schema = schema.ok_or_else(|| gone(&options.name, note.is_some()))?;
        let items = note.as_ref().map_or(spec.items, |note| note.about.items);
        let found = IndexSpec { dimension: schema.dimension, metric: schema.metric, items, ..spec.clone() };
        ExistingIndex::from(spec).check(&found, &format!("the Redis index {:?}", options.name))?;
        let index = self.index(schema, note, spec.clone(), options)?;
        index.settle_where_it_may().await?;
        Ok(Box::new(index))
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        let options = Options::of(&existing.name, &existing.parameters)?;
        let (schema, note) = self.found(&options.name).await?;
        let schema = schema.ok_or_else(|| gone(&options.name, note.is_some()))?;
        let items = note.as_ref().map_or(existing.items, |note| note.about.items);
        let found = IndexSpec {
            name: existing.name.clone(),
            dimension: schema.dimension,
            metric: schema.metric,
            items,
            parameters: existing.parameters.clone(),
        };
        existing.check(&found, &format!("the Redis index {:?}", options.name))?;
        let mut index = self.index(schema, note, found, options)?;
        index.settle_where_it_may().await?;
        index.measure_once().await?;
        Ok(Box::new(index))
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        let options = Options::of(&index.name, &index.parameters)?;
        let pool = self.pool()?;
        pool.server().await?.check_writable()?;
        let (schema, note) = self.found(&options.name).await?;
        let dropped = drop::index(pool, &options.name, schema.as_ref(), note.is_some()).await?;
        self.changes.fetch_add(1, Ordering::Relaxed);
        Ok(dropped)
    }

    async fn health(&self) -> Result<Health> {
        let pool = self.pool()?;
        let server = pool.look_again().await?;
        let role = if server.replica { ", a replica" } else { "" };
        let advice = server.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
        let detail = format!("Redis {} with RediSearch {} at {}{role}{advice}", server.version, server.search, pool.settings().address());
        Ok(Health { detail })
    }
}

fn create_index(spec: &IndexSpec, options: &Options) -> Result<Command> {
    let metric = metric_name(spec.metric).ok_or_else(|| Error::unsupported(format!("redis does not offer the metric {}", spec.metric)))?;
    let mut command = Command::new("FT.CREATE")
        .arg(options.name.clone())
        .arg("ON")
        .arg(options.storage.as_str())
        .arg("PREFIX")
        .arg("1")
        .arg(keys::prefix(&options.name))
        // There is nothing yet under the prefix.
        .arg("SKIPINITIALSCAN")
        .arg("SCHEMA");
    let path = |name: &str| if options.storage == Storage::Json { format!("$.{name}") } else { name.to_owned() };
    // A sample's own vector is found by its key.
    if spec.items == ItemKind::Patches {
        command = command.arg(path(SAMPLE)).arg("AS").arg(SAMPLE).arg("TAG").arg("SEPARATOR").arg(SEPARATOR.to_string()).arg("CASESENSITIVE");
    }
    let mut attributes = vec!["TYPE".to_owned(), options.number.as_str().to_owned(), "DIM".to_owned(), spec.dimension.to_string()];
    attributes.extend(["DISTANCE_METRIC".to_owned(), metric.to_owned()]);
    if options.algorithm == Algorithm::Hnsw {
        attributes.extend(["M".to_owned(), options.m.to_string(), "EF_CONSTRUCTION".to_owned(), options.ef_construction.to_string()]);
    }
    let command = command.arg(path(VECTOR)).arg("AS").arg(VECTOR).arg("VECTOR").arg(options.algorithm.as_str());
    Ok(command.arg(attributes.len()).args(attributes))
}

/// Refuses a name whose keys are somebody else's already: another index's prefix begins them, they begin its, or there are keys.
async fn check_room(pool: &Pool, name: &str) -> Result<()> {
    let prefix = &keys::prefix(name);
    let others = pool
        .retrying(|connection| async move {
            let failed = |failure| error::of(failure, "list the indexes of the server");
            let names = send(&connection, Command::new("FT._LIST")).await.map_err(failed)?;
            let names: Vec<String> = crate::reply::list(names).iter().filter_map(crate::reply::text).collect();
            let asked: Vec<Command> = names.iter().map(|name| Command::new("FT.INFO").arg(name)).collect();
            let answers = send_all(&connection, asked).await.map_err(failed)?;
            Ok(names.into_iter().zip(answers).collect::<Vec<_>>())
        })
        .await?;
    for (other, answer) in others {
        // One that is gone meanwhile is in nobody's way.
        let Ok(answer) = answer else { continue };
        let definition = crate::reply::map(answer).map("index_definition");
        let prefixes: Vec<String> = definition.list("prefixes").iter().filter_map(crate::reply::text).collect();
        if let Some(met) = prefixes.iter().find(|other| prefix.starts_with(other.as_str()) || other.starts_with(prefix.as_str())) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("keys under {prefix:?} would be those of the index {other:?} too, which takes those under {met:?}"),
            )
            .with_hint("choose another index_name"));
        }
    }
    if drop::any_key(pool, prefix).await? {
        return Err(Error::new(ErrorKind::AlreadyExists, format!("there are keys under {prefix:?} already, and no index of this name"))
            .with_hint("choose another index_name, or remove these keys"));
    }
    Ok(())
}

fn gone(name: &str, is_noted: bool) -> Error {
    if is_noted {
        return Error::not_found(format!("the Redis index {name:?} is gone, and what this library noted of it is still there"))
            .with_hint("it was dropped by other means, or a cleanup was cut off: clean it up, and make it again");
    }
    Error::not_found(format!("there is no Redis index {name:?}"))
        .with_hint("check index_name, host and port; a server that was restarted without persistence, or flushed, has lost it: make it again")
}
