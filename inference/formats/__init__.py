"""Which files a model may consist of, judged by their bytes. Front door: `folder.check_folder`."""
