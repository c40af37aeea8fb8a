//! The spec of a Warehouse, in the first line, and a push that it is compared with: tags or refs in the second, files
//! after it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::scope::ObjectKey;
use quayside::domain::work::Work;
use quayside::workbench::{ChangedFiles, PushEvent, Pushes, Warehouse};
use quayside_fuzz::within_budget;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let spec = lines.next().unwrap_or_default();
    let qualifiers = lines.next().unwrap_or("1.2.3 refs/heads/main").split(' ').map(str::to_owned).collect();
    let files = ChangedFiles::complete(lines.map(str::to_owned).collect());
    let warehouse = within_budget(spec.len(), || Warehouse::decode(ObjectKey::new("fuzz", "fuzz"), spec));
    let found: Vec<_> = warehouse.subscriptions.iter().flatten().collect();
    let urls = found.iter().map(|subscription| subscription.repository.to_string()).collect();
    let events = [PushEvent::new("push".into(), urls, qualifiers).with_git(files, None)];
    within_budget(text.len(), || {
        let (pushes, mut work) = (Pushes::new(&events), Work::default());
        for subscription in found {
            std::hint::black_box(pushes.explain(subscription, &mut work));
        }
    });
});
