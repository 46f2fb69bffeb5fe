"""Things to give away: a page that needs no server, a model, rows, each with its card"""
