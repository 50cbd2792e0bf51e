# manual pages, mdoc by hand
dist_man_MANS += man/srsync.8 man/srsync-state.5
dist_man_MANS += man/srsync-bitlog.5
dist_man_MANS += man/srsync-stream.5
