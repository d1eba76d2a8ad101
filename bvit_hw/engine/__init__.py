"""The single engine (docs/engine.md): its commands, the compiler of networks to programmes, and its golden machine."""
