//! Commands by name, with arguments that may be bytes.

use std::time::Duration;

use bytes::Bytes;
use fred::clients::{Client, Pipeline};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{CustomCommand, Value};

use crate::connect::line;

/// A command and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    name: &'static str,
    arguments: Vec<Value>,
}

impl Command {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, arguments: Vec::new() }
    }

    pub(crate) fn with_room(name: &'static str, arguments: usize) -> Self {
        Self { name, arguments: Vec::with_capacity(arguments) }
    }

    /// Adds an argument: a text, a number or bytes.
    #[must_use]
    pub(crate) fn arg(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push(argument.into().0);
        self
    }

    #[must_use]
    pub(crate) fn args<A: Into<Argument>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.into().0));
        self
    }
}

impl Command {
    /// Writes it for a line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        line::write_head(out, 1 + self.arguments.len());
        line::write_word(out, &[self.name.as_bytes()]);
        // An argument is a text or bytes, whatever it was made from.
        self.arguments.iter().for_each(|argument| line::write_word(out, &[argument.as_bytes().unwrap_or_default()]));
    }
}

/// One argument.
pub(crate) struct Argument(Value);

impl From<&'static str> for Argument {
    fn from(text: &'static str) -> Self {
        Self(Value::from_static_str(text))
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self(Value::Bytes(text.into()))
    }
}

impl From<&String> for Argument {
    fn from(text: &String) -> Self {
        Self(Value::Bytes(Bytes::copy_from_slice(text.as_bytes())))
    }
}

impl From<Bytes> for Argument {
    fn from(bytes: Bytes) -> Self {
        Self(Value::Bytes(bytes))
    }
}

impl From<usize> for Argument {
    fn from(number: usize) -> Self {
        Self(Value::Bytes(number.to_string().into()))
    }
}

fn custom(name: &'static str) -> CustomCommand {
    CustomCommand::new_static(name, None::<u16>, false)
}

/// How long a command waits for its connection to come back, and how often it is looked for.
const COMES_BACK: Duration = Duration::from_secs(2);
const LOOKS: Duration = Duration::from_millis(250);

/// Waits for an answer as long as there is a connection that it can come by: the driver would keep the command until the server is back.
async fn watched<T>(client: &Client, answer: impl Future<Output = T>) -> Result<T, Error> {
    let mut answer = std::pin::pin!(answer);
    let mut alone = Duration::ZERO;
    loop {
        match tokio::time::timeout(LOOKS, answer.as_mut()).await {
            Ok(answer) => return Ok(answer),
            Err(_) if client.is_connected() => alone = Duration::ZERO,
            Err(_) => alone += LOOKS,
        }
        if alone >= COMES_BACK {
            return Err(Error::new(fred::error::ErrorKind::IO, "the connection broke"));
        }
    }
}

/// Sends one command.
pub(crate) async fn send(client: &Client, command: Command) -> Result<Value, Error> {
    watched(client, client.custom(custom(command.name), command.arguments)).await?
}

/// Sends commands in one go; each has its own answer.
pub(crate) async fn send_all(client: &Client, commands: Vec<Command>) -> Result<Vec<Result<Value, Error>>, Error> {
    let pipeline: Pipeline<Client> = client.pipeline();
    let mut count = 0;
    for command in commands {
        // What comes back here says that it was queued.
        let _: Value = pipeline.custom(custom(command.name), command.arguments).await?;
        count += 1;
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut answers: Vec<Result<Value, Error>> = watched(client, pipeline.try_all()).await?;
    if answers.len() != count {
        // The pipeline failed as a whole, or lost an answer; neither leaves anything to rely on.
        let lost = || Error::new(fred::error::ErrorKind::Protocol, "a pipeline has fewer answers than commands");
        return Err(answers.pop().and_then(Result::err).unwrap_or_else(lost));
    }
    Ok(answers)
}

/// Sends commands that are all done at once, or none of them; the results of each.
///
/// The driver gives up a pipeline whose connection breaks, and makes the next connection only then: no part of it is ever sent without its beginning.
///
/// # Errors
/// Why nothing was done; or that of a command which failed among the others.
pub(crate) async fn execute(client: &Client, commands: Vec<Command>) -> Result<Vec<Value>, Error> {
    let mut whole = Vec::with_capacity(commands.len() + 2);
    whole.push(Command::new("MULTI"));
    whole.extend(commands);
    whole.push(Command::new("EXEC"));
    let mut answers = send_all(client, whole).await?;
    let Some(results) = answers.pop() else { return Ok(Vec::new()) };
    // What was refused before it began says why; the last answer says only that it was.
    let refused = answers.into_iter().find_map(Result::err);
    match (results, refused) {
        (Ok(Value::Array(results)), None) => Ok(results),
        (_, Some(refused)) => Err(refused),
        (Err(failure), None) => Err(failure),
        (Ok(_), None) => Err(Error::new(fred::error::ErrorKind::Protocol, "a transaction has no results")),
    }
}
