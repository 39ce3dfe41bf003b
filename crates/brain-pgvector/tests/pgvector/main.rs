//! The backend held against real servers.
