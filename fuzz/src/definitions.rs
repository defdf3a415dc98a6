//! The definitions parser: whatever the files, there is an answer, and every place is in its file.

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::definitions::{
    Bundle, ParseInput, Problem, Problems, parse, stack_names, stack_of_branch,
};
use kedge_core::documents;
use kedge_core::live::LiveWorld;
use kedge_core::model::{Salt, StackName};
use kedge_core::render;
use kedge_sandbox::SplitMix64;

use crate::input::{Input, Part};
use crate::{mutate, pipeline};

/// The most stacks of a set that are tried.
const STACKS_MAX: usize = 1;

/// The most files besides kedge.yaml.
const FILES_MAX: usize = 5;

/// Some files of the corpus, of which one to three are changed, lost or renamed.
pub(crate) fn input(corpus: &Input, random: &mut SplitMix64) -> Input {
    let mut input = Input::default();
    let (project, others): (Vec<&Part>, Vec<&Part>) = corpus
        .parts
        .iter()
        .partition(|part| part.name == "kedge.yaml");
    input.parts.extend(project.into_iter().cloned());
    for _ in 0..FILES_MAX {
        let part = mutate::pick(random, &others).copied();
        input.parts.extend(part.cloned());
    }
    input.parts.sort();
    input.parts.dedup();
    for _ in 0..=random.below(3) {
        let other = mutate::pick(random, &corpus.parts).map(|part| part.bytes.clone());
        let at = mutate::below(random, input.parts.len());
        let names: Vec<String> = input.parts.iter().map(|part| part.name.clone()).collect();
        let Some(part) = input.parts.get_mut(at) else {
            break;
        };
        let other = other.unwrap_or_default();
        match random.below(24) {
            0 => part.bytes = other,
            1 => part.bytes.clear(),
            2 => part.name = mutate::pick(random, &names).cloned().unwrap_or_default(),
            3 => part.name = part.name.replace(".yaml", ".yml"),
            4 => {
                input.parts.remove(at);
            }
            _ => change(random, part, &other),
        }
    }
    input
}

fn change(random: &mut SplitMix64, part: &mut Part, other: &[u8]) {
    let other = String::from_utf8_lossy(other);
    for _ in 0..=random.below(4) {
        if mutate::one_in(random, 3) {
            mutate::bytes(random, &mut part.bytes);
        } else {
            let text = String::from_utf8_lossy(&part.bytes).into_owned();
            part.bytes = mutate::lines(random, &text, &other).into_bytes();
        }
    }
}

pub(crate) fn run(input: &Input) -> Result<(), String> {
    // The command line reads files this way too.
    let text = |part: &Part| String::from_utf8_lossy(&part.bytes).into_owned();
    let files: BTreeMap<String, String> = input
        .parts
        .iter()
        .map(|part| (part.name.clone(), text(part)))
        .collect();
    let bundle = match Bundle::new(files) {
        Ok(bundle) => bundle,
        Err(error) => return printable(&error.to_string()),
    };
    let _ = stack_of_branch(&bundle, "main");
    let mut names: BTreeSet<StackName> =
        stack_names(&bundle).into_iter().take(STACKS_MAX).collect();
    names.extend(StackName::new("prod"));
    names.iter().try_for_each(|name| one_stack(&bundle, name))
}

fn one_stack(bundle: &Bundle, stack: &StackName) -> Result<(), String> {
    let salt = Salt([7; 16]);
    let overrides = BTreeMap::new();
    let input = || ParseInput {
        bundle,
        stack,
        overrides: &overrides,
        salt: &salt,
    };
    let parsed = parse(&input());
    if parse(&input()) != parsed {
        return Err("the same set read twice is not the same".to_owned());
    }
    match parsed {
        Ok(declared) => {
            for key in declared.resources.keys() {
                pipeline::expect(
                    kedge_core::model::ResourceKey::parse(&key.to_string()).as_ref() == Ok(key),
                    || format!("the key {key} does not survive being written"),
                )?;
            }
            pipeline::run(&declared, None, &LiveWorld::default())
        }
        Err(problems) => judge(bundle, &problems),
    }
}

fn judge(bundle: &Bundle, problems: &Problems) -> Result<(), String> {
    let count = problems.list.len();
    pipeline::expect((1..=Problems::MAX).contains(&count), || {
        format!("{count} problems")
    })?;
    problems
        .list
        .iter()
        .try_for_each(|one| within(bundle, one))?;
    let json = documents::json_text(&documents::problems(problems));
    printable(&json.map_err(|error| error.to_string())?)?;
    printable(&render::problems_github(problems, "definitions"))?;
    printable(&render::problems_junit(problems))?;
    let screen = render::Screen {
        colour: false,
        width: render::Screen::WIDTH,
        full: false,
    };
    printable(&render::problems_text(problems, screen, &|hint| {
        format!("{hint:?}")
    }))
}

/// Every place a problem names is in its file.
fn within(bundle: &Bundle, problem: &Problem) -> Result<(), String> {
    let Problem {
        file,
        line,
        column,
        width,
        source_line,
        ..
    } = problem;
    let is_within = match bundle.text(file) {
        None => (*line, *column) == (1, 1) && source_line.is_none(),
        Some(text) => {
            let lines = text.lines().count().max(1);
            let own = text.lines().nth((*line as usize).saturating_sub(1));
            let length = own.unwrap_or_default().chars().count();
            (1..=lines).contains(&(*line as usize))
                && (1..=length + 1).contains(&(*column as usize))
                && (1..=length + 1).contains(&(*width as usize))
                && source_line.is_some()
        }
    };
    pipeline::expect(is_within, || {
        format!("{file}:{line}:{column}, {width} wide, is not in the file: {problem}")
    })
}

/// Nothing in a text moves the cursor of whoever reads it.
pub(crate) fn printable(text: &str) -> Result<(), String> {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    pipeline::expect(bad.is_none(), || {
        format!("the control character {bad:?} is shown: {text:?}")
    })
}
