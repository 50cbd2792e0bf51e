# manual pages, mdoc by hand
