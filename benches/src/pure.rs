//! The stages of the core, each alone: parse, compare, plan, and what comes after, beside the YAML
//! parser alone on the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use granit_parser::Parser;
use kedge_core::compare::{CompareInput, Comparison, compare};
use kedge_core::definitions::{Bundle, ParseInput, Problems, parse};
use kedge_core::documents::{self, Surroundings};
use kedge_core::live::{Live, LiveWorld, Proof, ScopeReading};
use kedge_core::model::{Declared, FieldName, Fields, Recorded, Salt, StackName, Timestamp, Value};
use kedge_core::plan::{Authority, Plan, PlanInput, authorise, plan};
use kedge_core::render::{RenderOptions, Screen, check_text};
use kedge_core::report::Report;
use kedge_core::state::State;

use crate::Failure;
use crate::made::{self, Amounts};
use crate::measure::{fastest, mib, ms, peak_kib, ratio, worked};
use crate::table::{Table, say};

/// The first argument of the process that measures one size.
pub(crate) const CHILD: &str = "core-child";

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const SALT: Salt = Salt([7; 16]);
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// How the three truths stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum World {
    /// Of a hundred resources one drifted and one was edited.
    Ordinary,
    /// Nothing is there yet: the first deploy.
    New,
    /// Every resource has one field that drifted.
    Drifted,
}

impl World {
    const ALL: [Self; 3] = [Self::Ordinary, Self::New, Self::Drifted];

    fn word(self) -> &'static str {
        match self {
            Self::Ordinary => "2 in 100 differ",
            Self::New => "all new",
            Self::Drifted => "all drifted",
        }
    }
}

/// Measures all sizes, each in a process of its own, and prints the tables.
pub(crate) fn run() -> Result<(), Failure> {
    let mut times = Table::new(&[
        "resources",
        "world",
        "scan ms",
        "parse ms",
        "compare ms",
        "plan ms",
        "sum ms",
        "sum ÷ scan",
        "µs each",
        "authorise ms",
        "text ms",
        "JSON ms",
    ]);
    let mut memory = Table::new(&[
        "resources",
        "world",
        "definitions KiB",
        "files MiB",
        "+ parse",
        "+ live and state",
        "+ compare",
        "+ plan",
    ]);
    for size in SIZES {
        for world in World::ALL {
            let said = Command::new(std::env::current_exe()?)
                .args([CHILD, &size.to_string(), world.word()])
                .output()?;
            let text = String::from_utf8(said.stdout)?;
            let mut lines = text.lines().map(|line| line.split('\t'));
            let (Some(one), Some(other)) = (lines.next(), lines.next()) else {
                let why = String::from_utf8_lossy(&said.stderr);
                return Err(format!("{size} resources: {text}{why}").into());
            };
            times.row(one.map(str::to_owned).collect());
            memory.row(other.map(str::to_owned).collect());
        }
    }
    times.print(
        "1a. Core: processor time of each stage, one thread, the fastest of several runs. `scan` is the \
         YAML parser alone on the same files",
    );
    memory.print("1b. Core: the most memory resident after each stage of the first run, in MiB");
    Ok(())
}

/// The process of one size: prints one row of each table.
pub(crate) fn child(arguments: &[String]) -> Result<(), Failure> {
    let [size, word] = arguments else {
        return Err("a size and a world".into());
    };
    let size: usize = size.parse()?;
    let mut worlds = World::ALL.into_iter();
    let world = worlds.find(|world| world.word() == word).ok_or("world")?;
    let files = made::definitions(Amounts::mixed(size));
    let kib = files.values().map(String::len).sum::<usize>() / 1_024;
    let bundle = Bundle::new(files.clone())?;
    let stack = StackName::new(made::STACK)?;
    let mut peaks = vec![peak_kib("self")];
    let declared = parsed(&bundle, &stack)?;
    peaks.push(peak_kib("self"));
    let (state, live) = truths(&declared, world);
    peaks.push(peak_kib("self"));
    let comparison = compared(&declared, state.as_ref(), &live);
    peaks.push(peak_kib("self"));
    let planned = planned(&declared, state.as_ref(), &live, &comparison);
    peaks.push(peak_kib("self"));
    let resources = declared.resources.len();
    drop(planned);
    let read = Read {
        files: &files,
        bundle: &bundle,
        stack: &stack,
    };
    let times = stages(&read, state.as_ref(), &live, size)?;
    let sum = times.parse + times.compare + times.plan;
    let each = ms(sum * 1_000 / u32::try_from(resources.max(1))?);
    let row = [
        resources.to_string(),
        world.word().to_owned(),
        ms(times.scan),
        ms(times.parse),
        ms(times.compare),
        ms(times.plan),
        ms(sum),
        ratio(sum, times.scan),
        each,
        ms(times.authorise),
        ms(times.text),
        ms(times.json),
    ];
    say(&format!("{}\n", row.join("\t")));
    let peaks: Vec<String> = peaks.into_iter().map(mib).collect();
    let row = [
        resources.to_string(),
        world.word().to_owned(),
        kib.to_string(),
    ];
    say(&format!("{}\t{}\n", row.join("\t"), peaks.join("\t")));
    Ok(())
}

fn parsed(bundle: &Bundle, stack: &StackName) -> Result<Declared, Problems> {
    parse(&ParseInput {
        bundle,
        stack,
        overrides: &BTreeMap::new(),
        salt: &SALT,
    })
}

fn compared(declared: &Declared, state: Option<&State>, live: &LiveWorld) -> Comparison {
    compare(CompareInput {
        declared,
        state,
        live,
        now: NOW,
    })
}

fn planned(
    declared: &Declared,
    state: Option<&State>,
    live: &LiveWorld,
    comparison: &Comparison,
) -> Plan {
    plan(PlanInput {
        declared,
        state,
        live,
        comparison,
        overrides: &BTreeSet::new(),
        holds: &[],
        holds_unread: None,
    })
}

#[expect(clippy::disallowed_methods, reason = "this bench is the provider")]
const UNLISTED: Proof = Proof::unlisted_and_never_recorded();

/// What is recorded and live beside these declared resources.
fn truths(declared: &Declared, world: World) -> (Option<State>, LiveWorld) {
    let mut live = LiveWorld::default();
    let policy = declared.policy.clone();
    let mut state = State::first(declared.stack.clone(), SALT, policy);
    for (number, (key, resource)) in declared.resources.iter().enumerate() {
        let scope = live.scopes.entry(key.scope().clone());
        let scope: &mut ScopeReading = scope.or_default();
        if world == World::New {
            scope.set_absent(key.clone(), UNLISTED);
            continue;
        }
        let mut recorded = resource.values();
        let mut shown = recorded.clone();
        match (world, number % 100) {
            (World::Drifted, _) | (_, 7) => moved(&mut shown),
            (_, 13) => {
                moved(&mut recorded);
                moved(&mut shown);
            }
            _ => {}
        }
        let record = Recorded {
            fields: recorded,
            ..Recorded::default()
        };
        state.resources.insert(key.clone(), record);
        let shown = Live {
            fields: shown,
            ..Live::default()
        };
        scope.set_present(key.clone(), shown);
    }
    ((world != World::New).then_some(state), live)
}

/// Moves one field of a resource, if it has one that is a number.
fn moved(fields: &mut Fields) {
    for name in ["retention_ms", "ttl", "ack_deadline_seconds"] {
        if let Some(Value::Int(number)) = fields.get_mut(&FieldName::known(name)) {
            *number += 60;
            return;
        }
    }
}

/// The time of each stage.
struct Times {
    scan: Duration,
    parse: Duration,
    compare: Duration,
    plan: Duration,
    authorise: Duration,
    text: Duration,
    json: Duration,
}

/// What is read: the same files as text and as a bundle.
struct Read<'a> {
    files: &'a BTreeMap<String, String>,
    bundle: &'a Bundle,
    stack: &'a StackName,
}

/// How many events the YAML parser makes of these files: all that it does, and nothing else.
fn scanned(files: &BTreeMap<String, String>) -> usize {
    let events = files.values().flat_map(|text| Parser::new_from_str(text));
    events.filter(Result::is_ok).count()
}

/// A page without colours, of the usual width, with every name.
fn options() -> RenderOptions<'static> {
    RenderOptions {
        stack_origin: "--stack",
        definitions: "definitions",
        hints: &|hint| format!("{hint:?}"),
        screen: Screen {
            colour: false,
            width: Screen::WIDTH,
            full: true,
        },
        traffic: None,
        times: true,
        plan_shown: false,
        next_follows: false,
    }
}

fn stages(
    read: &Read<'_>,
    state: Option<&State>,
    live: &LiveWorld,
    size: usize,
) -> Result<Times, Failure> {
    let runs = match size {
        0..10_000 => 31,
        10_000..100_000 => 15,
        _ => 4,
    };
    let mut taken: [Vec<Duration>; 7] = Default::default();
    for _ in 0..runs {
        let (events, scan) = worked(|| scanned(read.files));
        let (declared, parse) = worked(|| parsed(read.bundle, read.stack));
        let declared = declared?;
        let (comparison, compare) = worked(|| compared(&declared, state, live));
        let (planned, plan) = worked(|| planned(&declared, state, live, &comparison));
        let authority = Authority::Policy {
            first_seen: &BTreeMap::new(),
            automatic: &[],
            now: NOW,
        };
        let (decided, authorise) = worked(|| authorise(&planned, authority));
        let report = Report {
            invalid: None,
            stored: None,
            push_first: None,
            declared: declared.into(),
            comparison,
            plan: planned,
            automation: decided.clone(),
            decided,
            read_at: NOW,
            last_good_read_at: None,
            windows: BTreeMap::new(),
            holds: Vec::new(),
            holds_unread: None,
            watch_unread: None,
            command: None,
            open_run: None,
            unverified: None,
            ran_out: None,
        };
        let (text, text_time) = worked(|| check_text(&report, &options()));
        let (json, json_time) =
            worked(|| documents::json_text(&documents::check(&report, &Surroundings::default())));
        if events == 0 || text.is_empty() || json?.is_empty() {
            return Err("nothing was scanned or rendered".into());
        }
        for (all, one) in taken
            .iter_mut()
            .zip([scan, parse, compare, plan, authorise, text_time, json_time])
        {
            all.push(one);
        }
    }
    let [scan, parse, compare, plan, authorise, text, json] = taken.map(fastest);
    Ok(Times {
        scan,
        parse,
        compare,
        plan,
        authorise,
        text,
        json,
    })
}
