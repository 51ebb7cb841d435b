//! The tables of contrib/docs/renewal.md are what the code does: every sequence of events up to a
//! length is walked, and each step compared with the tables' cells.

use std::collections::{HashMap, HashSet};

use super::*;

const PAGE: &str = include_str!("../../../contrib/docs/renewal.md");

/// Long enough to be refused to the end after something else.
const LENGTH: usize = 6;

/// A token's whole life.
const LIFE: i64 = 7200;

/// A table of the page, by row and column.
struct Table {
    columns: Vec<String>,
    cells: HashMap<(String, String), String>,
}

impl Table {
    /// The table below a heading.
    fn below(heading: &str) -> Self {
        let (_, rest) = PAGE.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
        let lines = rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let mut rows = lines.map(cells).collect::<Vec<Vec<String>>>().into_iter();
        let columns = rows.next().expect("a head").split_off(1);
        let mut cells = HashMap::new();
        for row in rows.skip(1) {
            for (column, cell) in columns.iter().zip(&row[1..]) {
                cells.insert((row[0].clone(), column.clone()), cell.clone());
            }
        }
        Self { columns, cells }
    }

    fn cell(&self, row: &str, column: &str) -> &str {
        let cell = self.cells.get(&(row.to_owned(), column.to_owned()));
        cell.unwrap_or_else(|| panic!("the page has no cell for {row:?} and {column:?}"))
    }

    fn rows(&self) -> HashSet<&str> {
        self.cells.keys().map(|(row, _)| row.as_str()).collect()
    }
}

/// Two tables of the page: what a login can be in, and what a get gets from it.
struct Tables {
    states: &'static str,
    gets: &'static str,
    successor: Successor,
    /// The page's word for a state.
    state: fn(&Schedule) -> &'static str,
}

/// Half of an OAuth pair.
const PAIR: Tables = Tables {
    states: "States of a login",
    gets: "What a get gets",
    successor: Successor::Refreshed,
    state: |schedule| {
        let refused = schedule.renewing.as_ref().is_some_and(Trouble::is_refusal);
        match schedule {
            Schedule { ended: Some(_), dead, doubted, .. } if *dead || *doubted => "gone",
            Schedule { ended: Some(_), .. } => "ended",
            Schedule { doubted: true, lost_at: Some(_), .. } => "unsure",
            Schedule { doubted: true, .. } => "doubted",
            Schedule { dead: true, lost_at: Some(_), .. } => "lost",
            Schedule { dead: true, .. } => "dead",
            Schedule { renewing: Some(_), .. } if refused => "refused",
            Schedule { renewing: Some(_), .. } => "failing",
            _ => "well",
        }
    },
};

/// A token that a person made.
const BY_HAND: Tables = Tables {
    states: "States of a token that a person made",
    gets: "What a get gets of such a token",
    successor: Successor::Rotated,
    state: |schedule| match schedule {
        Schedule { doubted: true, lost_at: Some(_), .. } => "unsure",
        Schedule { doubted: true, .. } => "doubted",
        Schedule { ended: Some(Ended::Disbelieved(_)), .. } => "disbelieved",
        Schedule { ended: Some(_), .. } => "gone",
        Schedule { successor: Successor::None, .. } => "fixed",
        Schedule { renewing: Some(_), .. } => "failing",
        _ => "well",
    },
};

/// What happens in a column of a table of states.
fn apply(event: &str, schedule: &mut Schedule, now: Timestamp, successor: Successor) {
    match event {
        "git was refused" => drop(schedule.on_refused_token()),
        "git succeeded" => schedule.on_worked(),
        "asked: it lives" => schedule.on_verified(now, true),
        "asked: it is dead" => schedule.on_verified(now, false),
        "asked: no answer" => schedule.on_unanswered(now, "silence".into(), None, 0.5),
        "can't be asked" => schedule.on_untold(now),
        "renewed" => schedule.on_renewed(now, Some(now.plus(LIFE)), successor),
        "not renewed" => schedule.on_failed(now, "503".into(), None, 0.5),
        "answer lost" => {
            schedule.on_lost(now);
            schedule.on_failed(now, "reset".into(), None, 0.5);
        }
        "`invalid_grant`" => schedule.on_refused_renewal(now, "invalid_grant".into()),
        "said to be dead" => schedule.on_refused_renewal(now, "401".into()),
        "not exchanged" => schedule.on_renewed(schedule.received_at, schedule.expires_at, Successor::None),
        unknown => panic!("the page has a column {unknown:?}"),
    }
}

#[test]
fn every_sequence_of_events_goes_as_the_documentation_says() {
    walk(&PAIR);
}

#[test]
fn every_sequence_of_events_of_a_token_made_by_hand_goes_as_the_documentation_says() {
    walk(&BY_HAND);
}

fn walk(tables: &Tables) {
    let (states, gets) = (Table::below(tables.states), Table::below(tables.gets));
    let start = Timestamp(1_000_000);
    let first = Schedule::new(MIN_LIFE, start, Some(start.plus(LIFE)), tables.successor);
    let mut todo = vec![(first, start, 0)];
    let (mut steps, mut reached) = (0, HashSet::new());
    while let Some((schedule, now, length)) = todo.pop() {
        let here = (tables.state)(&schedule);
        reached.insert(here);
        check_gets(&gets, here, &schedule, now);
        // "-": the account's task does not let it happen.
        let possible = states.columns.iter().filter(|event| length < LENGTH && states.cell(here, event) != "-");
        for event in possible {
            let (mut next, now) = (schedule.clone(), now.plus(60));
            apply(event, &mut next, now, tables.successor);
            let (found, expected) = ((tables.state)(&next), states.cell(here, event));
            assert!(expected.split(" or ").any(|word| word == found), "{here}, {event}: {found}, not {expected}");
            steps += 1;
            todo.push((next, now, length + 1));
        }
    }
    assert_eq!(reached, states.rows(), "every state of the page is reached, and no other");
    assert_eq!(reached, gets.rows());
    assert!(steps > 10_000, "{steps} steps");
}

/// Compares what a get is told with the second table: with much life left, with little, with none,
/// and in the moment after a failed try.
fn check_gets(gets: &Table, here: &str, schedule: &Schedule, now: Timestamp) {
    let told = |at: Timestamp, left: i64| {
        let expires_at = Some(at.plus(left));
        let schedule = Schedule { received_at: at.plus(left - LIFE), expires_at, ..schedule.clone() };
        match schedule.on_get(at, None) {
            Step::Serve => "the token",
            Step::Verify => "asks about it first",
            Step::Renew => "renews first",
            Step::Refuse(Reason::Relink(_)) => "link again",
            Step::Refuse(_) => "try again",
        }
    };
    // Longer than any wait after a failure.
    let later = now.plus(600);
    for (column, left) in [("much life left", 3600), ("little", 300), ("none", 0)] {
        assert_eq!(told(later, left), gets.cell(here, column), "{here}, {column}");
    }
    for (column, left) in [("little, a try just failed", 300), ("none, a try just failed", 0)] {
        // What has come to its end is not asked about, where it can be renewed.
        let asks = schedule.doubted && (left > 0 || schedule.successor != Successor::Refreshed);
        let trouble = if asks { &schedule.asking } else { &schedule.renewing };
        if schedule.ended.is_none() && trouble.as_ref().is_some_and(|trouble| trouble.blocks(now)) {
            assert_eq!(told(now, left), gets.cell(here, column), "{here}, {column}");
        }
    }
}
