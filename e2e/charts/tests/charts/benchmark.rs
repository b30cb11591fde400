//! The 21 checks of the retired multi-tenancy benchmark of Kubernetes (kubernetes-retired/multi-tenancy,
//! `benchmarks/kubectl-mtb`), tried by whoever looks after a tenant: a user with Kubernetes' own role `admin` in
//! the tenant's namespace, as the benchmark has it, and our role for owners beside it.

mod checks;
mod pods;
mod reach;
mod tenant;

use std::fmt::Write as _;

use crate::{operator::Operator, stage::Stage};
use checks::{CHECKS, Check};
use tenant::Tenant;

/// What is to be seen, what was, and what else is to be said of a check.
struct Row {
    expected: &'static str,
    seen: String,
    note: &'static str,
}

impl Row {
    fn new(expected: &'static str, seen: impl Into<String>) -> Self {
        Self {
            expected,
            seen: seen.into(),
            note: "",
        }
    }

    fn with(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    fn holds(&self) -> bool {
        self.seen == self.expected
    }
}

fn table(rows: &[(&Check, Row)]) -> String {
    let mut text = String::new();
    for (check, row) in rows {
        let mark = if row.holds() { "ok" } else { "DIFFERS" };
        let Check { id, title, .. } = check;
        let (expected, seen) = (row.expected, &row.seen);
        writeln!(
            text,
            "| {mark} | {id} | {title} | {expected} | {seen} | {} |",
            row.note
        )
        .unwrap();
    }
    format!(
        "| | check | title | expected | seen | why, and what covers it |\n| --- | --- | --- | --- | --- | --- |\n{text}"
    )
}

#[tokio::test]
async fn a_tenant_passes_the_multi_tenancy_benchmark() {
    let stage = Stage::set().await;
    let operator = Operator::leading(&stage.admin, "benchmark").await;
    let tenant = Tenant::make(&stage, &operator).await;
    let mut rows = Vec::new();
    for check in &CHECKS {
        rows.push((check, (check.run)(&tenant).await));
    }
    let table = table(&rows);
    println!("{table}");
    assert_eq!(rows.len(), 21);
    assert!(rows.iter().all(|(_, row)| row.holds()), "\n{table}");
}
