//! Stock tars read what is encoded, and what they write is decoded.
