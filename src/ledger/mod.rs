//! The pure core: what an auditor reads to know what is proven and how. No I/O, no clock, no secret.
