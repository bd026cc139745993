//! The parameters of the mirror.

use super::Mirror;
use crate::params::parameters;
use crate::user::{BuildUser, UserContext, UserError, UserModel};
use std::path::PathBuf;
use std::sync::Arc;

parameters! {
    /// the compact ONNX model that was trained to mirror the users of feedback logs.
    pub struct MirrorParameters = "mirror" {
        /// Folder of the model with its card, relative to the folder of this file.
        path: PathBuf = "../models/mirror",
    }
}

impl BuildUser for MirrorParameters {
    fn build(self, context: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError> {
        Ok(Arc::new(Mirror::load(&self.path, context.data, context.log, context.chunk)?))
    }
}
