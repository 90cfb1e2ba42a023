"""Keys and certificates on the disk."""


def certificate(authority, folder, name="server"):
    """Key and certificate files of localhost."""
    made = authority.issue_cert("localhost", "127.0.0.1")
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    made.private_key_pem.write_to_path(key)
    made.cert_chain_pems[0].write_to_path(chain)
    key.chmod(0o600)
    return key, chain
