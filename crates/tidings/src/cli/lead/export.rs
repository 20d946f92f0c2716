//! `tidings lead export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use tidings_store::{LEAD_PAGE_MAX, Lead, LeadFilter, Store, TenantId};

use super::{Format, with_style};
use crate::cli::key::tenant;
use crate::cli::tenant::{json_line, known};
use crate::failure::{Failure, Outcome};
use crate::opening;

/// The columns of a table; what else a lead has stands in the last one, as JSON.
const COLUMNS: [&str; 11] = [
    "id",
    "source",
    "status",
    "name",
    "email",
    "company",
    "phone",
    "notes",
    "createdAt",
    "updatedAt",
    "payload",
];

/// Write leads.
#[derive(Debug, Clone, Args)]
pub(crate) struct Export {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// The form
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// The file; the standard output if not given
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, store: &Store) -> Outcome {
        known(store, &self.tenant).await?;
        let output: Box<dyn Write> = match &self.output {
            None => Box::new(io::stdout().lock()),
            Some(path) => Box::new(
                File::create_new(path)
                    .with_context(|| format!("cannot make {}", path.display()))
                    .map_err(Failure::Usage)?,
            ),
        };
        let mut output = Writer::new(BufWriter::new(output), self.format)?;
        let all = store
            .list_leads(&self.tenant, &LeadFilter::default(), 1, None)
            .await;
        let bar = progress_of_leads(all.map_err(opening::failure)?.total);
        let mut last = None;
        loop {
            let page = store
                .oldest_leads(&self.tenant, LEAD_PAGE_MAX, last.as_ref())
                .await;
            let mut page = page.map_err(opening::failure)?;
            for lead in &page {
                output.write(lead)?;
            }
            bar.inc(page.len() as u64);
            last = page.pop();
            if last.is_none() {
                bar.finish_and_clear();
                return output.finish();
            }
        }
    }
}

/// Leads on their way into a file.
enum Writer<W: Write> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Writer<W> {
    fn new(output: W, format: Format) -> Outcome<Writer<W>> {
        Ok(match format {
            Format::Jsonl => Writer::Jsonl(output),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(output);
                table
                    .write_record(COLUMNS)
                    .map_err(|error| Failure::Internal(error.into()))?;
                Writer::Csv(Box::new(table))
            }
        })
    }

    fn write(&mut self, lead: &Lead) -> Outcome {
        match self {
            Writer::Jsonl(output) => {
                json_line(output, lead)?;
            }
            Writer::Csv(table) => {
                let text = |key| lead.payload.text(key).unwrap_or_default();
                table
                    .write_record([
                        &lead.id.to_string(),
                        lead.source.as_str(),
                        lead.status.as_str(),
                        &text("name"),
                        &text("email"),
                        &text("company"),
                        &text("phone"),
                        &text("notes"),
                        &lead.created_at.to_string(),
                        &lead.updated_at.to_string(),
                        lead.payload.as_raw().get(),
                    ])
                    .map_err(|error| Failure::Internal(error.into()))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Outcome {
        match self {
            Writer::Jsonl(mut output) => output.flush()?,
            Writer::Csv(mut table) => table.flush()?,
        }
        Ok(())
    }
}

fn progress_of_leads(leads: u64) -> ProgressBar {
    with_style(ProgressBar::new(leads), "{bar:40} {pos}/{len} leads  {eta} left")
}
