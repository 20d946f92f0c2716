//! The metric families of the outbox.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use tidings_flow::Flow;
use tidings_outbox::OutboxFigures;
use tidings_workflows::Workflows;

use super::families::gauge;

/// What was counted of the outbox.
#[derive(Debug, Default, Clone)]
pub(crate) struct OutboxReadings {
    /// By the gateway whose events they are.
    pub(crate) gateways: Vec<(&'static str, OutboxFigures)>,
}

impl OutboxReadings {
    pub(crate) fn of(flow: &Flow, workflows: &Workflows) -> OutboxReadings {
        OutboxReadings {
            gateways: vec![
                ("flow", flow.outbox_figures()),
                ("workflows", workflows.outbox_figures()),
            ],
        }
    }
}

/// Writes the families.
pub(super) fn encode(readings: &OutboxReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut events = to.encode_descriptor(
        "tidings_outbox_events",
        "Events stored with the change they tell of: published at once, published later, refused by the bus and tried again",
        None,
        MetricType::Counter,
    )?;
    for (gateway, figures) in &readings.gateways {
        let outcomes = [
            ("published_at_once", figures.published_at_once),
            ("published_later", figures.published_later),
            ("refused", figures.refused),
        ];
        for (outcome, count) in outcomes {
            events
                .encode_family(&[("gateway", *gateway), ("outcome", outcome)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    let mut unremoved = to.encode_descriptor(
        "tidings_outbox_unremoved",
        "Events of the outbox that are published and not yet removed: published again if the server dies",
        None,
        MetricType::Gauge,
    )?;
    for (gateway, figures) in &readings.gateways {
        unremoved
            .encode_family(&[("gateway", *gateway)])?
            .encode_gauge(&figures.unremoved)?;
    }
    // There is one for all gateways.
    let length = readings.gateways.iter().map(|(_, figures)| figures.length).max();
    gauge(
        to,
        "tidings_outbox_length",
        "Events in the outbox, up to 100000: those that nobody has published yet, and those not yet removed",
        length.unwrap_or_default(),
    )
}
