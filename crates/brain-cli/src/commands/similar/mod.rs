//! `brain find-duplicates` and `brain find-unique`: items of a run, compared with one another.

mod distribution;
mod document;
#[cfg(feature = "models")]
mod sheet;

use std::collections::BTreeSet;

use brain::core::similar::Compared;
use brain::core::{Error, Item, ItemId, View};
use brain::dataset::Dataset;
use brain::{Brain, Cutoff, Duplicates, Similarity};

use crate::args::{DuplicatesArgs, FoundArgs, RunArgs, UniqueArgs};
use crate::distance;
use crate::failure::Result;
use crate::known::Known;
use crate::location::Location;
use crate::output::Output;
use crate::plural::{counted, items};
use crate::session::Session;
use crate::table::Table;

/// How many groups of duplicates, or unique items, are told to people.
const TOLD: usize = 10;

pub(super) async fn find_duplicates(session: &mut Session<'_>, args: &DuplicatesArgs) -> Result<()> {
    if args.wants_a_cutoff() {
        return Err(Error::invalid("nothing says yet what a duplicate is")
            .with_hint("add --thresh T or --fraction F; without --tag and --sheet the command shows thresholds to choose from")
            .into());
    }
    let (view, brain) = (args.view.some_view()?, session.brain()?);
    let opened = Opened::of(&brain, &args.run).await?;
    match args.cutoff() {
        Some(cutoff) => opened.duplicates(&mut session.output, args, cutoff, view.as_ref()).await,
        None => distribution::show(&mut session.output, &opened.similarity, view.as_ref()).await,
    }
}

pub(super) async fn find_unique(session: &mut Session<'_>, args: &UniqueArgs) -> Result<()> {
    let (view, brain) = (args.view.some_view()?, session.brain()?);
    Opened::of(&brain, &args.run).await?.unique(&mut session.output, args, view.as_ref()).await
}

/// A run with its dataset.
struct Opened {
    similarity: Similarity,
    dataset: Dataset,
}

impl Opened {
    async fn of(brain: &Brain, run: &RunArgs) -> Result<Self> {
        let similarity = brain.load_brain_results(&run.name, &run.brain_key).await?;
        Ok(Self { similarity, dataset: brain.datasets().get(&run.name)? })
    }

    async fn duplicates(&self, output: &mut Output, args: &DuplicatesArgs, cutoff: Cutoff, view: Option<&View>) -> Result<()> {
        let found = self.similarity.find_duplicates(cutoff, view).await?;
        #[cfg(feature = "models")]
        if let Some(path) = args.found.sheet.as_ref().filter(|_| !found.groups.is_empty()) {
            sheet::of_groups(self, &found.groups, path)?;
        }
        let tagged = self.tag(&args.found, found.duplicates().map(|hit| &hit.item))?;
        if output.is_json() {
            let known = self.known(found.groups.iter().map(|group| &group.kept).chain(found.duplicates().map(|hit| &hit.item)))?;
            return Ok(output.document(&document::duplicates(&found, &known))?);
        }
        output.table(&self.duplicates_table(&found)?)?;
        if found.groups.len() > TOLD {
            output.line(format_args!("and {} more; --json lists all", counted((found.groups.len() - TOLD) as u64, "group", "groups")))?;
        }
        if !found.groups.is_empty() {
            output.line("")?;
        }
        let (kind, duplicates) = (self.similarity.items(), found.duplicates().count());
        let compared = items(kind, found.compared.items as u64);
        let within = found.threshold.map(|threshold| format!(" within {threshold}")).unwrap_or_default();
        output.line(format_args!(
            "{}{within} in {}; {} of {compared} kept",
            counted(duplicates as u64, "duplicate", "duplicates"),
            counted(found.groups.len() as u64, "group", "groups"),
            found.kept.len(),
        ))?;
        self.close(output, &args.found, tagged, duplicates, found.compared)?;
        if duplicates > 0 && tagged.is_none() {
            let RunArgs { name, brain_key } = &args.run;
            let again = match cutoff {
                Cutoff::Threshold(threshold) => format!("--thresh {threshold}"),
                Cutoff::Fraction(fraction) => format!("--fraction {fraction}"),
            };
            output.hint(format_args!("next: brain find-duplicates {name} --brain-key {brain_key} {again} --tag duplicate --sheet duplicates.png"))?;
        }
        Ok(())
    }

    async fn unique(&self, output: &mut Output, args: &UniqueArgs, view: Option<&View>) -> Result<()> {
        let found = self.similarity.find_unique(args.count, view).await?;
        #[cfg(feature = "models")]
        if let Some(path) = &args.found.sheet {
            sheet::of_items(self, &found.chosen, path)?;
        }
        let tagged = self.tag(&args.found, &found.chosen)?;
        if output.is_json() {
            return Ok(output.document(&document::unique(&found, &self.known(&found.chosen)?))?);
        }
        let shown = &found.chosen[..found.chosen.len().min(TOLD)];
        let (known, location) = (self.known(shown)?, Location::here());
        let mut table = Table::new().number("rank").text("file").text("id");
        for (rank, item) in (1..).zip(shown) {
            table.row([format!("{rank}"), file(&known, item, &location), item.id.to_string()]);
        }
        output.table(&table)?;
        if found.chosen.len() > TOLD {
            output.line(format_args!("and {} more; --json lists all", found.chosen.len() - TOLD))?;
        }
        let compared = items(self.similarity.items(), found.compared.items as u64);
        let within = found.threshold.map(|threshold| format!("; every other is within {threshold} of one of them")).unwrap_or_default();
        output.line(format_args!("\n{} of {compared} chosen{within}", found.chosen.len()))?;
        self.close(output, &args.found, tagged, found.chosen.len(), found.compared)?;
        if tagged.is_none() {
            let (RunArgs { name, brain_key }, count) = (&args.run, args.count);
            output.hint(format_args!("next: brain find-unique {name} --brain-key {brain_key} --count {count} --tag unique --sheet unique.png"))?;
        }
        Ok(())
    }

    /// Tags the samples of what was found, where that was asked for; how many samples.
    fn tag<'a>(&self, args: &FoundArgs, found: impl IntoIterator<Item = &'a Item>) -> Result<Option<usize>> {
        let Some(tag) = &args.tag else { return Ok(None) };
        let samples: BTreeSet<&ItemId> = found.into_iter().map(|item| &item.sample_id).collect();
        self.dataset.add_tags(&View::new().select(samples.iter().map(|&id| id.clone())), &[tag])?;
        Ok(Some(samples.len()))
    }

    /// What was done with what was found, and what the index lacks.
    fn close(&self, output: &mut Output, args: &FoundArgs, tagged: Option<usize>, found: usize, compared: Compared) -> Result<()> {
        let name = &self.similarity.record().dataset;
        if let (Some(tag), Some(samples)) = (&args.tag, tagged) {
            output.line(format_args!("{} tagged {tag:?}", counted(samples as u64, "sample", "samples")))?;
            output.hint(format_args!("next: brain dataset samples {name} --match-tags {tag}"))?;
        }
        #[cfg(feature = "models")]
        if let Some(path) = &args.sheet {
            match found {
                0 => output.line("there is nothing to draw a picture of")?,
                _ => output.line(format_args!("the picture is in {}", path.display()))?,
            }
        }
        #[cfg(not(feature = "models"))]
        let _ = found;
        warn_of_missing(output, &self.similarity, compared)
    }

    fn known<'a>(&self, found: impl IntoIterator<Item = &'a Item>) -> Result<Known> {
        Ok(Known::of(&self.similarity, &self.dataset, found.into_iter().map(|item| item.id.clone()))?)
    }

    fn duplicates_table(&self, found: &Duplicates) -> Result<Table> {
        let shown = &found.groups[..found.groups.len().min(TOLD)];
        let of_groups = shown.iter().flat_map(|group| std::iter::once(&group.kept).chain(group.duplicates.iter().map(|hit| &hit.item)));
        let (known, location) = (self.known(of_groups)?, Location::here());
        let mut table = Table::new().number("group").number("distance").text("file").text("id");
        for (number, group) in (1..).zip(shown) {
            table.row([format!("{number}"), "kept".to_owned(), file(&known, &group.kept, &location), group.kept.id.to_string()]);
            for hit in group.duplicates.iter().take(TOLD) {
                table.row([String::new(), distance::shown(hit.distance), file(&known, &hit.item, &location), hit.item.id.to_string()]);
            }
            if group.duplicates.len() > TOLD {
                table.row([String::new(), String::new(), format!("and {} more", group.duplicates.len() - TOLD)]);
            }
        }
        Ok(table)
    }
}

fn file(known: &Known, item: &Item, location: &Location) -> String {
    known.get(&item.id).map_or_else(|| "(no longer in the dataset)".to_owned(), |known| location.shown(&known.filepath))
}

fn warn_of_missing(output: &mut Output, similarity: &Similarity, compared: Compared) -> Result<()> {
    if compared.missing > 0 {
        let record = similarity.record();
        output.warn(format_args!(
            "{} items of the view are not in the index; add them with `brain add-to-index {} --brain-key {} --new`",
            compared.missing, record.dataset, record.key
        ))?;
    }
    Ok(())
}
