//! A graph of one shape, written out for drplan and for OpenTofu.
//!
//! The same shape and size give the same graph on every machine. Knows nothing about how it is planned.

use std::collections::BTreeMap;
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

/// How many blocks one file of a spec holds, which is bounded in bytes.
const BLOCKS_PER_FILE: usize = 10_000;

const PROVIDER_FILE: &str = "main.dr.hcl";
const PEER_FILE: &str = "main.tf";

/// The name of the one block with `for_each`.
const EACH: &str = "each";

/// How the nodes hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// Twenty layers, each node made from three of the layer before: a large recovery
    Layered,
    /// Each node made from the one before
    Chain,
    /// One block with `for_each` over as many keys
    ForEach,
}

/// Nodes in order; each names its parents by index.
pub(crate) struct Graph {
    shape: Shape,
    parents: Vec<Vec<usize>>,
}

impl Graph {
    /// Draws a graph of `size` nodes.
    ///
    /// # Errors
    ///
    /// If a layer would be too narrow for three parents.
    pub(crate) fn new(shape: Shape, size: usize) -> Result<Self> {
        let parents = match shape {
            Shape::Layered => layered(size)?,
            Shape::Chain => (0..size)
                .map(|node| node.checked_sub(1).into_iter().collect())
                .collect(),
            Shape::ForEach => vec![Vec::new(); size],
        };
        Ok(Self { shape, parents })
    }

    /// Writes the spec of drplan.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn write_spec(&self, folder: &Path) -> Result<()> {
        write(folder, PROVIDER_FILE, "provider \"bench\" \"memory\" {}\n")?;
        let blocks = self.blocks("bench_node", "inputs", "value");
        for (n, part) in blocks.chunks(BLOCKS_PER_FILE).enumerate() {
            write(folder, &format!("nodes-{n:02}.dr.hcl"), &part.concat())?;
        }
        Ok(())
    }

    /// Writes the configuration of OpenTofu.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(crate) fn write_peer(&self, folder: &Path) -> Result<()> {
        write(
            folder,
            PEER_FILE,
            &self.blocks("terraform_data", "input", "id").concat(),
        )
    }

    /// The resources in the language that both sides read.
    fn blocks(&self, kind: &str, argument: &str, export: &str) -> Vec<String> {
        let block =
            |name: &str, body: &str| format!("resource \"{kind}\" \"{name}\" {{\n{body}}}\n\n");
        if self.shape == Shape::ForEach {
            let keys = (0..self.parents.len()).map(|node| format!("    \"{}\",\n", name(node)));
            let keys: String = keys.collect();
            let body = format!("  for_each = toset([\n{keys}  ])\n  {argument} = [each.key]\n");
            return vec![block(EACH, &body)];
        }
        let nodes = self.parents.iter().enumerate().map(|(node, parents)| {
            let inputs = parents
                .iter()
                .map(|p| format!("{kind}.{}.{export}", name(*p)));
            let inputs: Vec<String> = inputs.collect();
            block(
                &name(node),
                &format!("  {argument} = [{}]\n", inputs.join(", ")),
            )
        });
        nodes.collect()
    }

    /// The world in which every node exists as it should be, by what follows the kind in its address.
    pub(crate) fn world(&self) -> BTreeMap<String, State> {
        let mut chance = Chance(!SEED);
        let values: Vec<String> = self.parents.iter().map(|_| chance.uuid()).collect();
        let nodes = self.parents.iter().enumerate().map(|(node, parents)| {
            let value = values[node].clone();
            if self.shape == Shape::ForEach {
                let inputs = vec![name(node)];
                let key = format!("{EACH}[\"{}\"]", name(node));
                return (key, State { value, inputs });
            }
            let inputs = parents.iter().map(|p| values[*p].clone()).collect();
            (name(node), State { value, inputs })
        });
        nodes.collect()
    }
}

fn layered(size: usize) -> Result<Vec<Vec<usize>>> {
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
    Ok((0..size).map(draw).collect())
}

fn name(node: usize) -> String {
    format!("n{node:05}")
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
        let graph = Graph::new(Shape::Layered, 400).unwrap();
        assert!(graph.parents[..20].iter().all(Vec::is_empty));
        for (node, parents) in graph.parents.iter().enumerate().skip(20) {
            assert_eq!(parents.len(), PARENTS);
            assert!(parents.iter().all(|p| p / 20 + 1 == node / 20));
        }
        let again = Graph::new(Shape::Layered, 400).unwrap();
        assert_eq!(graph.parents, again.parents);
    }

    #[test]
    fn a_graph_that_is_too_narrow_is_refused() {
        assert!(layered(40).is_err());
        assert!(layered(410).is_err());
    }
}
