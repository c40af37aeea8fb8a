//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet};

/// The largest sets of nodes in which every node leads to every other one.
pub fn circles<N: Copy + Ord>(graph: &BTreeMap<N, BTreeSet<N>>) -> Vec<BTreeSet<N>> {
    let reachable: BTreeMap<N, BTreeSet<N>> = graph.keys().map(|node| (*node, reach(graph, *node))).collect();
    let mut found: Vec<BTreeSet<N>> = Vec::new();
    for (node, reached) in &reachable {
        if !reached.contains(node) || found.iter().any(|circle| circle.contains(node)) {
            continue;
        }
        found.push(reached.iter().copied().filter(|other| reachable[other].contains(node)).collect());
    }
    found
}

fn reach<N: Copy + Ord>(graph: &BTreeMap<N, BTreeSet<N>>, start: N) -> BTreeSet<N> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![start]);
    while let Some(node) = waiting.pop() {
        waiting.extend(graph.get(&node).into_iter().flatten().filter(|next| reached.insert(**next)));
    }
    reached
}

#[test]
fn a_circle_is_found_and_a_fork_is_none() {
    let graph = BTreeMap::from([
        (1, BTreeSet::from([2, 3])),
        (2, BTreeSet::from([4])),
        (3, BTreeSet::from([4])),
        (4, BTreeSet::new()),
    ]);
    assert!(circles(&graph).is_empty());
    let graph = BTreeMap::from([
        (1, BTreeSet::from([2])),
        (2, BTreeSet::from([3])),
        (3, BTreeSet::from([2, 4])),
        (4, BTreeSet::new()),
    ]);
    assert_eq!(circles(&graph), [BTreeSet::from([2, 3])]);
}
