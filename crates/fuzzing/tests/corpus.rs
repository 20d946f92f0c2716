//! Every input of the corpus once more, without a fuzzer: what was found stays found.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_fuzzing::TARGETS;

/// Panics anywhere in the process, those of the server's tasks too.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn the_corpus_replays() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        report(panic);
    }));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for target in &TARGETS {
        let folder = corpus.join(target.name);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            let input = fs::read(&file).unwrap();
            (target.run)(&input);
            let panics = PANICS.load(Ordering::Relaxed);
            assert_eq!(panics, 0, "a task panicked over {}", file.display());
        }
    }
}
