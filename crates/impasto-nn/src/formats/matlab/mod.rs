//! MATLAB 5 files as MatConvNet stores its networks, packed or not, in either byte order.
//!
//! `layers` is a cell with a struct for each layer: `type`, `name`, and for those that have weights either
//! `weights{1}` and `weights{2}` (since MatConvNet 1.0-beta8) or `filters` and `biases` (before). Filters are
//! `height × width × in × out`. The mean picture is `normalization.averageImage` or `meta.normalization.averageImage`.

mod element;
mod stream;

use std::collections::{BTreeMap, HashSet};

use self::{
    element::{Node, Numbers},
    stream::{Place, Stream},
};
use super::{
    Dtype, LoadError,
    contents::{Contents, MEAN_KEY, TensorInfo, Values},
    source::{Label, Source},
    strided,
};

/// `miMATRIX` and `miCOMPRESSED`.
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// The most variables that a file may have. A VGG has three.
const MOST_VARIABLES: usize = 10_000;

/// The largest mean picture that is read: 224 × 224 × 3 doubles have 1.2 MB.
const LARGEST_MEAN: u64 = 16 << 20;

/// Walks through the file and notes where its arrays are.
pub(super) fn open(mut source: Source) -> Result<Contents, LoadError> {
    let label = source.label().clone();
    let head = source.read_at(0, 128, "its header")?;
    let big_endian = head[126] == b'M';
    let places = places(&mut source, big_endian)?;
    let mut stream = Stream::new(source);
    let mut listing = Listing::default();
    let mut nodes = 0;
    for place in places {
        stream.begin(place).map_err(|e| label.io(e))?;
        let bytes = (!place.packed).then_some(place.bytes);
        let (name, node) = element::variable(&mut stream, bytes, big_endian, &mut nodes, &label)?;
        listing.add(&name, &node, place);
    }
    let text = String::from_utf8_lossy(&head[..116]);
    listing.metadata.insert("header".into(), text.trim_matches(|c: char| c.is_control() || c.is_whitespace()).into());
    let Listing { tensors, arrays, mut metadata, mean, .. } = listing;
    let mut reader = Reader { stream, arrays, big_endian, label };
    if let Some(mean) = mean.and_then(|array| reader.mean_colour(&array).transpose()).transpose()? {
        metadata.insert(MEAN_KEY.into(), mean.map(|v| v.to_string()).join(","));
    }
    Ok(Contents { tensors, metadata, values: Box::new(reader) })
}

/// Where the variables are: behind the header, one after the other.
fn places(source: &mut Source, big_endian: bool) -> Result<Vec<Place>, LoadError> {
    let mut places = Vec::new();
    let mut position = 128;
    while position < source.len() {
        let tag = source.read_at(position, 8, "the tag of a variable")?;
        let (kind, bytes) = tag.split_at(4);
        let word = |b: &[u8]| match b.first_chunk() {
            Some(b) if big_endian => u32::from_be_bytes(*b),
            Some(b) => u32::from_le_bytes(*b),
            None => 0,
        };
        let (kind, bytes) = (word(kind), u64::from(word(bytes)));
        let first = position + 8;
        if !matches!(kind, MATRIX | COMPRESSED) || places.len() >= MOST_VARIABLES {
            return Err(source.label().malformed(format!("there is no variable at byte {position}")));
        }
        if bytes > source.len() - first {
            return Err(source.label().truncated(format!("a variable should reach to byte {}", first + bytes)));
        }
        places.push(Place { first, bytes, packed: kind == COMPRESSED });
        position = first + bytes;
    }
    Ok(places)
}

/// An array of the file and how its axes become ours.
#[derive(Clone, Debug)]
struct Array {
    place: Place,
    numbers: Numbers,
    /// Ours, slowest axis first.
    size: Vec<usize>,
    stride: Vec<usize>,
}

impl Array {
    /// The same axes in the same order, row-major.
    fn plain(numbers: &Numbers, place: Place) -> Self {
        let axes: Vec<usize> = (0..numbers.dims.len()).collect();
        Self::permuted(numbers, place, &axes)
    }

    /// `height × width × in × out` as `out × in × height × width`. MATLAB drops axes of 1 at the end.
    fn filters(numbers: &Numbers, place: Place) -> Self {
        let mut numbers = numbers.clone();
        if numbers.dims.len() > 4 {
            return Self::plain(&numbers, place);
        }
        numbers.dims.resize(4, 1);
        Self::permuted(&numbers, place, &[3, 2, 0, 1])
    }

    /// A row or a column as a list.
    fn list(numbers: &Numbers, place: Place) -> Self {
        let count = numbers.dims.iter().product();
        Self { place, numbers: numbers.clone(), size: vec![count], stride: vec![1] }
    }

    fn permuted(numbers: &Numbers, place: Place, axes: &[usize]) -> Self {
        let steps = |axis: usize| numbers.dims[..axis].iter().product::<usize>();
        let size = axes.iter().map(|&a| numbers.dims[a]).collect();
        let stride = axes.iter().map(|&a| steps(a)).collect();
        Self { place, numbers: numbers.clone(), size, stride }
    }
}

/// What the variables hold, as tensors with names.
#[derive(Default)]
struct Listing {
    tensors: Vec<TensorInfo>,
    arrays: Vec<Array>,
    metadata: BTreeMap<String, String>,
    mean: Option<Array>,
    names: HashSet<String>,
}

impl Listing {
    /// Adds a variable: `layers`, `normalization`, `meta`, a `net` of all three, or any array.
    fn add(&mut self, name: &str, node: &Node, place: Place) {
        match name {
            "layers" => self.layers(node, place),
            "normalization" => self.normalization(node, place),
            _ => {
                if let Some(layers) = node.field("layers") {
                    self.layers(layers, place);
                }
                for meta in [Some(node), node.field("meta")].into_iter().flatten() {
                    if let Some(normalization) = meta.field("normalization") {
                        self.normalization(normalization, place);
                    }
                }
                if let Node::Numbers(numbers) = node {
                    self.tensor(name, Array::plain(numbers, place));
                }
            }
        }
    }

    fn layers(&mut self, node: &Node, place: Place) {
        let Node::Cell(layers) = node else { return };
        self.metadata.insert("layers".into(), layers.len().to_string());
        for (number, layer) in layers.iter().enumerate() {
            let name = layer.field("name").and_then(Node::text).filter(|name| !name.is_empty());
            let name = name.map_or_else(|| format!("layers{{{}}}", number + 1), str::to_string);
            let (filters, biases) = match layer.field("weights") {
                Some(Node::Cell(weights)) => (weights.first(), weights.get(1)),
                _ => (layer.field("filters"), layer.field("biases")),
            };
            if let Some(filters) = filters.and_then(Node::numbers) {
                self.tensor(&format!("{name}.weight"), Array::filters(filters, place));
            }
            if let Some(biases) = biases.and_then(Node::numbers) {
                self.tensor(&format!("{name}.bias"), Array::list(biases, place));
            }
        }
    }

    fn normalization(&mut self, node: &Node, place: Place) {
        let mean = node.field("averageImage").and_then(Node::numbers);
        self.mean = self.mean.take().or_else(|| mean.map(|numbers| Array::list(numbers, place)));
    }

    /// Of two tensors with one name the first is kept.
    fn tensor(&mut self, name: &str, array: Array) {
        if self.names.insert(name.into()) {
            let info = TensorInfo { name: name.into(), dtype: array.numbers.dtype, shape: array.size.clone() };
            self.tensors.push(info);
            self.arrays.push(array);
        }
    }
}

struct Reader {
    stream: Stream,
    arrays: Vec<Array>,
    big_endian: bool,
    label: Label,
}

impl Reader {
    fn values(&mut self, array: &Array) -> Result<Vec<f32>, LoadError> {
        let Numbers { stored, first, bytes, .. } = array.numbers;
        let bytes = self.stream.read_at(array.place, first, bytes).map_err(|e| self.label.io(e))?;
        Ok(strided::gather(stored.decode(&bytes, self.big_endian), &array.size, &array.stride))
    }

    /// The mean of each of the three channels of a picture (MATLAB has the channels slowest).
    fn mean_colour(&mut self, array: &Array) -> Result<Option<[f32; 3]>, LoadError> {
        let count = array.size[0];
        if array.numbers.bytes > LARGEST_MEAN
            || count == 0
            || !count.is_multiple_of(3)
            || array.numbers.dtype == Dtype::Other
        {
            return Ok(None);
        }
        let values = self.values(array)?;
        let mean = |c: usize| {
            let channel = &values[c * count / 3..(c + 1) * count / 3];
            (channel.iter().map(|&v| f64::from(v)).sum::<f64>() / channel.len() as f64) as f32
        };
        let mean = [mean(0), mean(1), mean(2)];
        Ok(mean.iter().all(|v| v.is_finite()).then_some(mean))
    }
}

impl Values for Reader {
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError> {
        let array = self.arrays[index].clone();
        self.values(&array)
    }
}
