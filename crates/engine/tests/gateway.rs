//! The pipeline over fakes: every phase, in the order of the contract, with one record per request.

mod gateway {
    pub(crate) mod support;

    mod accounts;
    mod ahead;
    mod answers;
    mod borders;
    mod challenges;
    mod costs;
    mod credentials;
    mod edge;
    mod endpoints;
    mod floods;
    mod forwarding;
    mod identities;
    mod introspection;
    mod laws;
    mod limits;
    mod metrics;
    mod order;
    mod overrides;
    mod permits;
    mod providers;
    mod records;
    mod renewals;
    mod returns;
    mod skew;
    mod snapshots;
    mod soft;
    mod together;
    mod tokens;
    mod usage;
    mod verifier;
}
