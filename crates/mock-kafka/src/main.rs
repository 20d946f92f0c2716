//! librdkafka's mock cluster as a process, for tests that have no broker: prints its address, and lives until its input ends.
//!
//!     tidings-mock-kafka [BROKERS] TOPIC:PARTITIONS…

use std::io::{self, Read, Write};

use rdkafka::mocking::MockCluster;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let brokers = arguments
        .next_if(|argument| !argument.contains(':'))
        .map_or(Ok(1), |brokers| brokers.parse())?;
    let cluster = MockCluster::new(brokers)?;
    for argument in arguments {
        let (topic, partitions) = argument.split_once(':').ok_or("expected TOPIC:PARTITIONS")?;
        cluster.create_topic(topic, partitions.parse()?, 1)?;
    }
    let mut output = io::stdout().lock();
    writeln!(output, "{}", cluster.bootstrap_servers())?;
    output.flush()?;
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}
