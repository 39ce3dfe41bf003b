//! Where a graph is computed, and what is said of it.
//!
//! A card can be missing in many ways: no provider in the library, no driver, a driver that is too old, no memory left; some are found when the provider is
//! made, others only while a graph is loaded. Whether it was the card or the graph is found out by loading the graph on the cores. And a provider has not
//! every operator (none of 8-bit integers, say): what it lacks is computed on the cores, and a graph of such operators altogether, so only a graph that was
//! loaded without leave to use them is said to be on the card.

use std::fmt;

use brain_core::Result;

use crate::runtime::{Device, OnMissingDevice};

/// What a graph is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Cores,
    /// The card of this number, and nothing else.
    Card(u32),
    /// The card, and the cores for what it has no operators for.
    CardAndCores(u32),
}

/// Where a graph is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) target: Target,
    /// The card that could not be had.
    pub(super) wanted: Option<u32>,
    pub(super) threads: usize,
}

/// Loads a graph for `device`, or for the cores where that cannot be had and may be done without.
///
/// # Errors
/// Those of `load`: the graph's where it loads nowhere, else the card's.
pub(super) fn place<T>(device: Device, threads: usize, load: impl Fn(Target) -> Result<T>) -> Result<(T, Place)> {
    let at = |target| load(target).map(|graph| (graph, Place { target, wanted: None, threads }));
    let Device::Cuda { card, on_missing } = device else { return at(Target::Cores) };
    at(Target::Card(card)).or_else(|_| at(Target::CardAndCores(card))).or_else(|without_card| {
        let (graph, place) = at(Target::Cores)?;
        match on_missing {
            OnMissingDevice::UseCpu => Ok((graph, Place { wanted: Some(card), ..place })),
            OnMissingDevice::Error => Err(without_card),
        }
    })
}

impl fmt::Display for Place {
    /// `2 threads`, `CUDA card 0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, wanted, threads } = self;
        let cores = format!("{threads} {}", if *threads == 1 { "thread" } else { "threads" });
        match (target, wanted) {
            (Target::Card(card), _) => write!(f, "CUDA card {card}"),
            (Target::CardAndCores(card), _) => write!(f, "{cores}, with CUDA card {card} for the operators that it has"),
            (Target::Cores, Some(card)) => write!(f, "{cores}, for want of CUDA card {card}"),
            (Target::Cores, None) => f.write_str(&cores),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use brain_core::{Error, ErrorKind};

    use super::*;

    /// What came of loading where only `possible` can be: the words for it, or the kind of the error; and what was tried.
    fn placed(device: Device, possible: &[Target]) -> (Result<String, ErrorKind>, Vec<Target>) {
        let tried = RefCell::new(Vec::new());
        let load = |target| {
            tried.borrow_mut().push(target);
            match target {
                _ if possible.contains(&target) => Ok(()),
                Target::Cores => Err(Error::corrupt("the graph")),
                Target::Card(_) | Target::CardAndCores(_) => Err(Error::new(ErrorKind::Unavailable, "the card")),
            }
        };
        let placed = place(device, 2, load).map(|((), place)| place.to_string()).map_err(|error| error.kind());
        (placed, tried.into_inner())
    }

    #[test]
    fn a_card_is_named_only_where_it_computes() {
        use Target::{Card, CardAndCores, Cores};
        let [cuda, cuda_or_cpu] = [OnMissingDevice::Error, OnMissingDevice::UseCpu].map(|on_missing| Device::Cuda { card: 1, on_missing });
        let said = |words: &str| Ok(words.to_owned());
        assert_eq!(placed(Device::Cpu, &[Cores]), (said("2 threads"), vec![Cores]));
        assert_eq!(placed(Device::Cpu, &[Card(0)]), (Err(ErrorKind::Corrupt), vec![Cores]));
        for device in [cuda, cuda_or_cpu] {
            assert_eq!(placed(device, &[Card(1), CardAndCores(1), Cores]), (said("CUDA card 1"), vec![Card(1)]));
            let both = "2 threads, with CUDA card 1 for the operators that it has";
            assert_eq!(placed(device, &[CardAndCores(1), Cores]), (said(both), vec![Card(1), CardAndCores(1)]));
            // A graph that no device can load is the fault of the graph.
            assert_eq!(placed(device, &[]).0, Err(ErrorKind::Corrupt));
        }
        // A card that fails, whenever it does, is missing.
        assert_eq!(placed(cuda, &[Cores]).0, Err(ErrorKind::Unavailable));
        assert_eq!(placed(cuda_or_cpu, &[Cores]).0, said("2 threads, for want of CUDA card 1"));
    }
}
