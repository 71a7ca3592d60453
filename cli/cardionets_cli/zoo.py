import typer
app=typer.Typer()
@app.callback()
def z() -> None:
    """x"""
