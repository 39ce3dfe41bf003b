//! What may be asked of `services` on the command line.

use super::instance::{INSTANCES, Instance};
use super::provider::Choice;

/// A request that makes sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Up { names: Vec<&'static Instance>, choice: Option<Choice> },
    Down,
    Status,
    Env,
    Start(&'static Instance),
    Stop(&'static Instance),
    Restart(&'static Instance),
}

impl Request {
    /// Reads the words after `services`; an error is a sentence about what is wrong with them.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["up", ref rest @ ..] => up(rest),
            ["down"] => Ok(Self::Down),
            ["status"] => Ok(Self::Status),
            ["env"] => Ok(Self::Env),
            ["start", name] => instance(name).map(Self::Start),
            ["stop", name] => instance(name).map(Self::Stop),
            ["restart", name] => instance(name).map(Self::Restart),
            ref wrong => Err(format!("`services {}` is not understood", wrong.join(" "))),
        }
    }
}

fn up(words: &[&str]) -> Result<Request, String> {
    let (mut names, mut choice) = (Vec::new(), None);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        if word == "--provider" {
            choice = Some(provider(words.next().unwrap_or_default())?);
        } else {
            names.push(instance(word)?);
        }
    }
    if names.is_empty() {
        names = INSTANCES.iter().collect();
    }
    Ok(Request::Up { names, choice })
}

fn provider(name: &str) -> Result<Choice, String> {
    Choice::named(name).ok_or_else(|| format!("`--provider` takes {}, not `{name}`", Choice::NAMES))
}

fn instance(name: &str) -> Result<&'static Instance, String> {
    Instance::named(name).ok_or_else(|| {
        let names: Vec<_> = INSTANCES.iter().map(|instance| instance.name).collect();
        format!("there is no server `{name}`; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::provider::Provider;

    fn parse(line: &str) -> Result<Request, String> {
        Request::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn up_is_for_all_servers_unless_some_are_named() {
        assert_eq!(parse("up").unwrap(), Request::Up { names: INSTANCES.iter().collect(), choice: None });
        let redis = Instance::named("redis").unwrap();
        assert_eq!(parse("up redis --provider native").unwrap(), Request::Up { names: vec![redis], choice: Some(Choice::Only(Provider::Native)) });
        assert_eq!(parse("restart redis").unwrap(), Request::Restart(redis));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in
            [("up mysql", "`mysql`"), ("up --provider podman", "not `podman`"), ("stop", "`services stop`"), ("down now", "down now")]
        {
            let wrong = parse(line).unwrap_err();
            assert!(wrong.contains(named), "{line}: {wrong}");
        }
    }
}
