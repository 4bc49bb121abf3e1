"""Music: harmony, melody, arrangement, instruments and the mix."""
