//! Values that live on a device.

use std::any::Any;
use std::fmt::Debug;

/// What a backend keeps of a tensor.
pub trait Values: Any + Debug + Send + Sync {
    /// How many values there are.
    fn count(&self) -> usize;

    /// A copy on the device.
    fn duplicate(&self) -> Box<dyn Values>;
}

/// Values that live on a device; only the backend that made them can read them.
#[derive(Debug)]
pub struct Tensor(Box<dyn Values>);

impl Tensor {
    /// A tensor of a backend.
    pub fn new(values: impl Values) -> Self {
        Self(Box::new(values))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the backend keeps.
    ///
    /// # Panics
    /// If it is of another backend; so do the two below.
    pub fn values<T: Values>(&self) -> &T {
        (&*self.0 as &dyn Any).downcast_ref().expect(OTHER_BACKEND)
    }

    /// The same, to change it.
    pub fn values_mut<T: Values>(&mut self) -> &mut T {
        (&mut *self.0 as &mut dyn Any).downcast_mut().expect(OTHER_BACKEND)
    }

    /// The same, to keep it.
    pub fn into_values<T: Values>(self) -> T {
        *(self.0 as Box<dyn Any>).downcast().expect(OTHER_BACKEND)
    }
}

const OTHER_BACKEND: &str = "a tensor is used by the backend that made it";

impl Clone for Tensor {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

/// A picture that a network sees, wherever it is; one of the host is uploaded as it is read.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// In the host's memory.
    Host(&'a [f32]),
    /// On the device.
    Device(&'a Tensor),
}
