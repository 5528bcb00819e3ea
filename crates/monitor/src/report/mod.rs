//! The role `report`: one capture in, one envelope on disk. It works on copies; the node may be long gone.

mod case;
mod debug_files;
mod demangle;
mod elf;
mod machine;
mod modules;
mod scrub;
mod signals;
mod store;
mod symbols;
mod text;
mod unwind;
