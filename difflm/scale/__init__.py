"""Generation by several processes into a folder of Parquet parts, which is gone on with where it was interrupted"""
