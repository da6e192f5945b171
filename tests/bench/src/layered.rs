//! A layered graph, the shape of a large recovery, written out for drplan and for OpenTofu.
//!
//! The same size gives the same graph on every machine. Knows nothing about how it is planned.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::world::State;

/// How many layers the nodes are spread over.
const LAYERS: usize = 20;

/// How many nodes of the layer before each node reads from.
const PARENTS: usize = 3;

/// The seed of all chance.
const SEED: u64 = 0x6472_706c_616e_2e33;

/// The only file of either configuration's folder that holds nodes.
const SPEC_FILE: &str = "main.dr.hcl";
const PEER_FILE: &str = "main.tf";

/// Nodes in order; each names its parents by index.
pub(crate) struct Layered {
    parents: Vec<Vec<usize>>,
}

impl Layered {
    /// Draws a graph of `size` nodes.
    ///
    /// # Errors
    ///
    /// If a layer would be too narrow for three parents.
    pub(crate) fn new(size: usize) -> Result<Self> {
        let width = size / LAYERS;
        ensure!(
            width >= PARENTS && size.is_multiple_of(LAYERS),
            "the size must be a multiple of {LAYERS} and at least {}",
            LAYERS * PARENTS
        );
        let mut chance = Chance(SEED);
        let draw = |node: usize| {
            let layer = node / width;
            let mut parents = Vec::new();
            while layer > 0 && parents.len() < PARENTS {
                let parent = (layer - 1) * width + chance.below(width);
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            parents
        };
        Ok(Self {
            parents: (0..size).map(draw).collect(),
        })
    }

    /// Writes the spec of drplan.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn write_spec(&self, folder: &Path) -> Result<()> {
        let mut text = String::from("provider \"bench\" \"memory\" {}\n");
        for (node, parents) in self.parents.iter().enumerate() {
            let inputs = inputs(parents, "bench_node", "value");
            let name = name(node);
            write!(
                text,
                "\nresource \"bench_node\" \"{name}\" {{\n  inputs = [{inputs}]\n}}\n"
            )?;
        }
        write(folder, SPEC_FILE, &text)
    }

    /// Writes the configuration of OpenTofu.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn write_peer(&self, folder: &Path) -> Result<()> {
        let mut text = String::new();
        for (node, parents) in self.parents.iter().enumerate() {
            let inputs = inputs(parents, "terraform_data", "id");
            let name = name(node);
            write!(
                text,
                "resource \"terraform_data\" \"{name}\" {{\n  input = [{inputs}]\n}}\n\n"
            )?;
        }
        write(folder, PEER_FILE, &text)
    }

    /// The world in which every node exists as it should be.
    pub(crate) fn world(&self) -> BTreeMap<String, State> {
        let mut chance = Chance(!SEED);
        let values: Vec<String> = self.parents.iter().map(|_| chance.uuid()).collect();
        let state = |parents: &Vec<usize>, node: usize| State {
            value: values[node].clone(),
            inputs: parents.iter().map(|p| values[*p].clone()).collect(),
        };
        let nodes = self.parents.iter().enumerate();
        nodes
            .map(|(node, parents)| (name(node), state(parents, node)))
            .collect()
    }
}

fn name(node: usize) -> String {
    format!("n{node:05}")
}

fn inputs(parents: &[usize], kind: &str, export: &str) -> String {
    let all: Vec<String> = parents
        .iter()
        .map(|parent| format!("{kind}.{}.{export}", name(*parent)))
        .collect();
    all.join(", ")
}

fn write(folder: &Path, file: &str, text: &str) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join(file), text))
        .with_context(|| format!("cannot write `{file}` into `{}`", folder.display()))
}

/// SplitMix64: small, fast, and the same everywhere.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // Always below `bound`, so it fits again.
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    /// As long as the identifiers that OpenTofu gives.
    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_reads_from_three_others_of_the_layer_before() {
        let graph = Layered::new(400).unwrap();
        assert!(graph.parents[..20].iter().all(Vec::is_empty));
        for (node, parents) in graph.parents.iter().enumerate().skip(20) {
            assert_eq!(parents.len(), PARENTS);
            assert!(parents.iter().all(|p| p / 20 + 1 == node / 20));
        }
        assert_eq!(graph.parents, Layered::new(400).unwrap().parents);
    }

    #[test]
    fn a_graph_that_is_too_narrow_is_refused() {
        assert!(Layered::new(40).is_err());
        assert!(Layered::new(410).is_err());
    }
}
