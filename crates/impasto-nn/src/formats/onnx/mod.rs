//! ONNX: a graph of operations and the tensors that they work with, in protobuf.
//!
//! As a weight file it has its initialisers; its operations are there for those who ask ([`Graph`]).

pub(crate) mod graph;
pub(crate) mod proto;
mod scan;

use std::collections::HashMap;

use prost::{Message, bytes::Bytes};

use self::graph::{Graph, checked_shape, dtype, values};
use self::proto::{Model, Tensor};
use super::contents::{Contents, TensorInfo, Values};
use super::error::LoadError;
use super::source::{Label, Source};

/// The largest file that is read; a network that paints has 7 MB.
const LARGEST: u64 = 64 << 20;

/// The most operations and initialisers that are read.
const MOST_PARTS: usize = 20_000;

/// Reads the graph and lists its initialisers.
pub(super) fn open(mut source: Source) -> Result<Contents, LoadError> {
    if source.len() > LARGEST {
        return Err(source.label().unsupported("an ONNX file of more than 64 MB", "give a network that paints"));
    }
    let bytes = Bytes::from(source.read_at(0, source.len(), "the file")?);
    let label = source.label().clone();
    if !scan::is_reasonable(&bytes) {
        return Err(label.malformed("it has more parts than any network that paints"));
    }
    let model = Model::decode(bytes).map_err(|e| damaged(&label, &e))?;
    let metadata = model.metadata.iter().filter_map(|e| e.key.clone().zip(e.value.clone())).collect();
    let packed = model.graph.ok_or_else(|| label.truncated("it has no graph"))?;
    if packed.node.len().max(packed.initializer.len()) > MOST_PARTS {
        return Err(label.malformed("it has more parts than any network that paints"));
    }
    let tensors = unpack::<Tensor>(packed.initializer, &label)?;
    let infos = tensors.iter().map(|tensor| info(tensor, &label)).collect::<Result<_, _>>()?;
    let mut graph =
        Graph { inputs: Vec::new(), nodes: unpack(packed.node, &label)?, tensors, names: HashMap::new(), label };
    graph.name_tensors()?;
    graph.inputs = packed.input.into_iter().map(|i| i.name).filter(|name| !graph.names.contains_key(name)).collect();
    Ok(Contents { tensors: infos, metadata, values: Box::new(graph) })
}

fn unpack<T: Message + Default>(packed: Vec<Bytes>, label: &Label) -> Result<Vec<T>, LoadError> {
    packed.into_iter().map(|bytes| T::decode(bytes).map_err(|e| damaged(label, &e))).collect()
}

fn damaged(label: &Label, error: &prost::DecodeError) -> LoadError {
    label.malformed(format!("{error}, so it is spoilt or cut short"))
}

impl Values for Graph {
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError> {
        values(&self.tensors[index], &self.label)
    }

    fn graph(&self) -> Option<&Graph> {
        Some(self)
    }
}

fn info(tensor: &Tensor, label: &Label) -> Result<TensorInfo, LoadError> {
    Ok(TensorInfo { name: tensor.name.clone(), dtype: dtype(tensor), shape: checked_shape(tensor, label)? })
}
